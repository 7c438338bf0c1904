// Command vault is a real HashiCorp Vault for tests, embedded as a library, with everything in memory.
//
// It serves TLS on 127.0.0.1, is initialized with one unseal share and unsealed, has no mounts beyond Vault's own,
// and when ready prints one JSON line {"address","rootToken","unsealKey"} on standard output. It stops on SIGTERM
// and when standard input closes, so that a killed test leaves no orphan. SIGUSR1 makes its storage slow, SIGUSR2 ends that.
// With --raft it is one member of a cluster instead (raft.go): it starts sealed, and is initialized, joined and unsealed by API.
package main

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/audit"
	auditfile "github.com/hashicorp/vault/builtin/audit/file"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/credential/cert"
	"github.com/hashicorp/vault/builtin/logical/pki"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

type options struct {
	tlsCert, tlsKey, listen, logLevel string
	raft                              member
}

// credentials are what a test needs besides the address.
type credentials struct {
	rootToken, unsealKey string
}

func main() {
	if err := run(parseOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.tlsCert, "tls-cert", "", "server certificate file (required)")
	flag.StringVar(&o.tlsKey, "tls-key", "", "server key file (required)")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "address")
	flag.StringVar(&o.logLevel, "log-level", "off", "trace, debug, info, warn, error, off")
	flag.StringVar(&o.raft.directory, "raft", "", "directory of integrated storage; makes this a member of a cluster")
	flag.StringVar(&o.raft.id, "node-id", "", "raft: name of the member")
	flag.StringVar(&o.raft.clusterListen, "cluster-listen", "", "raft: address for the other members")
	flag.BoolVar(&o.raft.redirects, "redirects", false, "raft: a standby redirects (307) instead of forwarding")
	flag.Parse()
	return o
}

func run(o options) error {
	stop := stopSignal()
	logger := hclog.New(&hclog.LoggerOptions{
		Name:   "vault",
		Level:  hclog.LevelFromString(o.logLevel),
		Output: os.Stderr,
	})
	listener, err := listenTLS(o)
	if err != nil {
		return err
	}
	address := "https://" + listener.Addr().String()
	config := newCoreConfig(logger, address)
	if o.raft.directory == "" {
		err = useMemory(config, logger)
	} else {
		err = o.raft.useRaft(config, logger)
	}
	if err != nil {
		return err
	}
	core, err := vault.NewCore(config)
	if err != nil {
		return err
	}
	defer func() { _ = core.Shutdown() }()

	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Type: "tcp", Address: listener.Addr().String()},
	})
	if o.raft.directory != "" {
		if handler, err = o.raft.serveCluster(core, handler); err != nil {
			return err
		}
	}
	// Time limits and error log as in Vault's own "server" command.
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       5 * time.Minute,
		ErrorLog:          logger.StandardLogger(nil),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	var made credentials
	if o.raft.directory == "" {
		if made, err = initialize(core); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{
		"address":   address,
		"rootToken": made.rootToken,
		"unsealKey": made.unsealKey,
	}); err != nil {
		return err
	}
	select {
	case <-stop:
		return nil
	case err := <-served:
		return err
	}
}

func listenTLS(o options) (net.Listener, error) {
	if o.tlsCert == "" || o.tlsKey == "" {
		return nil, errors.New("--tls-cert and --tls-key are required")
	}
	certificate, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
	if err != nil {
		return nil, err
	}
	return tls.Listen("tcp", o.listen, &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"h2", "http/1.1"},
		// Asked for, not demanded, and not verified here: that is the business of the "cert" auth method.
		ClientAuth: tls.RequestClientCert,
	})
}

func useMemory(config *vault.CoreConfig, logger hclog.Logger) error {
	inmemory, err := inmem.NewTransactionalInmem(nil, logger)
	if err != nil {
		return err
	}
	storage := physical.NewTransactionalLatencyInjector(inmemory, 0, 0, logger)
	slowOnSignal(storage)
	config.Physical, config.StorageType = storage, "inmem"
	return nil
}

func newCoreConfig(logger hclog.Logger, address string) *vault.CoreConfig {
	credentialBackends := map[string]logical.Factory{
		"approle":    approle.Factory,
		"cert":       cert.Factory,
		"jwt":        jwt.Factory,
		"kubernetes": kubernetes.Factory,
	}
	logicalBackends := map[string]logical.Factory{
		"kv":  kv.Factory,
		"pki": pki.Factory,
	}
	return &vault.CoreConfig{
		DisableMlock:       true,
		Logger:             logger,
		RedirectAddr:       address,
		ClusterName:        "test",
		DefaultLeaseTTL:    32 * 24 * time.Hour,
		MaxLeaseTTL:        32 * 24 * time.Hour,
		CredentialBackends: credentialBackends,
		LogicalBackends:    logicalBackends,
		AuditBackends:      map[string]audit.Factory{"file": auditfile.Factory},
		BuiltinRegistry: registry{
			consts.PluginTypeCredential: credentialBackends,
			consts.PluginTypeSecrets:    logicalBackends,
		},
	}
}

const slowStorage = 5 * time.Second

// slowOnSignal lets every operation of the storage take slowStorage from SIGUSR1 to SIGUSR2.
func slowOnSignal(storage *physical.TransactionalLatencyInjector) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for received := range signals {
			latency := time.Duration(0)
			if received == syscall.SIGUSR1 {
				latency = slowStorage
			}
			storage.SetLatency(latency)
		}
	}()
}

func initialize(core *vault.Core) (credentials, error) {
	ctx := namespace.RootContext(context.Background())
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: one, RecoveryConfig: nil})
	if err != nil {
		return credentials{}, fmt.Errorf("initialize: %w", err)
	}
	key := made.SecretShares[0]
	// Unseal wipes the slice it is given.
	result := credentials{rootToken: made.RootToken, unsealKey: hex.EncodeToString(key)}
	if unsealed, err := core.Unseal(key); err != nil || !unsealed {
		return credentials{}, fmt.Errorf("unseal: %v (unsealed: %t)", err, unsealed)
	}
	return result, nil
}

// registry answers Vault's question which plugins are built in. Without one, enabling any mount panics.
type registry map[consts.PluginType]map[string]logical.Factory

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, found := r[kind][name]
	return found
}

func (r registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	factory, found := r[kind][name]
	return func() (interface{}, error) { return factory, nil }, found
}

func (r registry) Keys(kind consts.PluginType) []string {
	names := make([]string, 0, len(r[kind]))
	for name := range r[kind] {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
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
