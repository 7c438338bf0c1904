// Command etcd is one real etcd member for tests, embedded as a library.
//
// With --cert/--key it serves clients over TLS, with --client-ca it also demands a client certificate and takes
// the user name from its common name. Without them it serves plain http (what the test kube-apiserver uses).
// When ready it prints one JSON line {"endpoint","peer"} on standard output. It stops on SIGTERM and when standard
// input closes, so that a killed test leaves no orphan.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// On two busy cores three members need longer than this only when something is broken.
const readyTimeout = 60 * time.Second

type options struct {
	cert, key, clientCA, clientCRL      string
	dataDir, name, logLevel             string
	listenClient, listenPeer            string
	initialCluster, initialClusterState string
}

func main() {
	if err := run(parseOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.cert, "cert", "", "server certificate file; without it clients are served over plain http")
	flag.StringVar(&o.key, "key", "", "server key file")
	flag.StringVar(&o.clientCA, "client-ca", "", "file of CA certificates; when given, a client certificate is required")
	flag.StringVar(&o.clientCRL, "client-crl", "", "file of revoked client certificates, read at every handshake")
	flag.StringVar(&o.dataDir, "data-dir", "", "data directory (required)")
	flag.StringVar(&o.name, "name", "default", "member name")
	flag.StringVar(&o.listenClient, "listen-client", "127.0.0.1:0", "client address")
	flag.StringVar(&o.listenPeer, "listen-peer", "127.0.0.1:0", "peer address; fix it when there is more than one member")
	flag.StringVar(&o.initialCluster, "initial-cluster", "", "name=http://host:port,… of all members; default: this one")
	flag.StringVar(&o.initialClusterState, "initial-cluster-state", embed.ClusterStateFlagNew, "new or existing")
	flag.StringVar(&o.logLevel, "log-level", "error", "debug, info, warn, error")
	flag.Parse()
	return o
}

func run(o options) error {
	if o.dataDir == "" {
		return errors.New("--data-dir is required")
	}
	if (o.cert == "") != (o.key == "") {
		return errors.New("--cert and --key go together")
	}
	config, err := newConfig(o)
	if err != nil {
		return err
	}
	stop := stopSignal()

	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	// Never closed: a graceful end hands the leadership over first, which takes seconds when all members stop at once,
	// and etcd must come back from a sudden one anyway.
	select {
	case <-server.Server.ReadyNotify():
	case <-stop:
		return nil
	case <-server.Server.StopNotify():
		return errors.New("stopped before it was ready")
	case <-time.After(readyTimeout):
		return fmt.Errorf("not ready after %s", readyTimeout)
	}

	scheme := "http"
	if o.cert != "" {
		scheme = "https"
	}
	ready := map[string]string{
		"endpoint": scheme + "://" + server.Clients[0].Addr().String(),
		"peer":     "http://" + server.Peers[0].Addr().String(),
	}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}

	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}

func newConfig(o options) (*embed.Config, error) {
	config := embed.NewConfig()
	config.Name = o.name
	config.Dir = o.dataDir
	config.LogLevel = o.logLevel
	config.LogOutputs = []string{"stderr"}
	// The data need not survive a power cut, and fsync is what makes etcd slow on a busy test machine.
	config.UnsafeNoFsync = true

	clientScheme := "http"
	if o.cert != "" {
		clientScheme = "https"
		config.ClientTLSInfo = transport.TLSInfo{
			CertFile:       o.cert,
			KeyFile:        o.key,
			TrustedCAFile:  o.clientCA,
			ClientCertAuth: o.clientCA != "",
			CRLFile:        o.clientCRL,
		}
	}
	client, err := url.Parse(clientScheme + "://" + o.listenClient)
	if err != nil {
		return nil, fmt.Errorf("--listen-client: %w", err)
	}
	peer, err := url.Parse("http://" + o.listenPeer)
	if err != nil {
		return nil, fmt.Errorf("--listen-peer: %w", err)
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	config.InitialCluster = o.initialCluster
	if config.InitialCluster == "" {
		config.InitialCluster = config.InitialClusterFromName(config.Name)
	}
	config.ClusterState = o.initialClusterState
	if !strings.Contains(config.InitialCluster, ",") {
		// Nobody to lose an election to: the only member need not wait a second before it elects itself.
		config.TickMs, config.ElectionMs = 10, 100
	}
	return config, nil
}

// stopSignal is closed on SIGTERM, SIGINT and at the end of standard input.
func stopSignal() <-chan struct{} {
	stop := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	go func() {
		select {
		case <-signals:
		case <-ended:
		}
		close(stop)
	}()
	return stop
}
