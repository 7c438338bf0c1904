package main

import (
	"net"
	"net/http"

	"github.com/hashicorp/go-hclog"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/physical/raft"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/vault"
)

// member is one Vault of a cluster with integrated storage, which outlives the process in its directory.
type member struct {
	directory, id, clusterListen string
	redirects                    bool
}

func (m member) useRaft(config *vault.CoreConfig, logger hclog.Logger) error {
	backend, err := raft.NewRaftBackend(map[string]string{
		"path": m.directory, "node_id": m.id,
		// The fastest elections that Vault has: a few seconds.
		"performance_multiplier": "1",
		// A member that has joined becomes a voter at one of these looks. By default they are 2 and 10 seconds apart.
		"autopilot_update_interval": "500ms", "autopilot_reconcile_interval": "1s",
	}, logger)
	if err != nil {
		return err
	}
	config.Physical, config.StorageType = backend, "raft"
	config.HAPhysical = backend.(physical.HABackend)
	config.ClusterAddr = "https://" + m.clusterListen
	return nil
}

// serveCluster lets the others in; what it returns is what clients are to be served by.
func (m member) serveCluster(core *vault.Core, handler http.Handler) (http.Handler, error) {
	address, err := net.ResolveTCPAddr("tcp", m.clusterListen)
	if err != nil {
		return nil, err
	}
	core.SetClusterListenerAddrs([]*net.TCPAddr{address})
	core.SetClusterHandler(handler)
	if !m.redirects {
		return handler, nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(vaulthttp.NoRequestForwardingHeaderName, "true")
		handler.ServeHTTP(w, r)
	}), nil
}
