// Command stand-in does with Calico's certificates what Calico's programs do, under their names, where theirs are not to be had:
// it is what the images quay.io/calico/* hold in the end-to-end tests. It reads the CA once and the certificate at every
// handshake, as libcalico-go does, and tells one JSON line for each thing that happened.
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	secrets = "/calico-secrets"
	hostCNI = "/host/etc/cni/net.d"
	// Written by the loop for the probes, which are processes of their own. Root's file system is the container's.
	aliveFile = "/tmp/alive"
	aliveFor  = 15 * time.Second
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "pause":
		pause()
	case "install":
		installCNI()
	case "check-status":
		probe()
	case "calico-node", "kube-controllers":
		switch {
		case slices.Contains(os.Args, "-felix-live"), slices.Contains(os.Args, "-felix-ready"):
			probe()
		case len(os.Args) > 1: // -init, -shutdown
		default:
			readForever(name)
		}
	default:
		fail(fmt.Errorf("there is no %s here", name))
	}
}

func pause() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}

// installCNI leaves what Calico's leaves: a copy of the certificates, then the network's configuration, which is that of a plain
// plugin of Debian here.
func installCNI() {
	say("install-cni", map[string]any{"files": describe(secrets)})
	copied := filepath.Join(hostCNI, "calico-tls")
	// So does Calico's, which only warns if the directory itself stays, as a mount does.
	if err := os.RemoveAll(copied); err != nil {
		say("warning", map[string]any{"text": err.Error()})
	}
	check(os.MkdirAll(copied, 0o700))
	for _, name := range []string{"etcd-ca", "etcd-cert", "etcd-key"} {
		text, err := os.ReadFile(filepath.Join(secrets, name))
		if os.IsNotExist(err) {
			// So does Calico's: a cluster without TLS has none.
			continue
		}
		check(err)
		temporary := filepath.Join(copied, name+".tmp")
		check(os.WriteFile(temporary, text, 0o400))
		check(os.Rename(temporary, filepath.Join(copied, name)))
	}
	network := `{"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [{"type": "ptp", "ipMasq": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}`
	temporary := filepath.Join(hostCNI, ".10-calico.conflist")
	check(os.WriteFile(temporary, []byte(network), 0o600))
	check(os.Rename(temporary, filepath.Join(hostCNI, os.Getenv("CNI_CONF_NAME"))))
}

// readForever has one connection that stays, as Calico's own, and makes a new one for every read besides.
func readForever(name string) {
	say("started", map[string]any{"name": name, "files": describe(secrets)})
	staying, err := connect()
	check(err)
	counts := map[string]int{"staying": 0, "fresh": 0}
	for second := time.NewTicker(time.Second); ; {
		failed := false
		if err := read(staying); err != nil {
			failed = true
			say("failed", map[string]any{"connection": "staying", "error": err.Error()})
		} else {
			counts["staying"]++
		}
		if commonName, err := readOnce(); err != nil {
			failed = true
			say("failed", map[string]any{"connection": "fresh", "commonName": commonName, "error": err.Error()})
		} else {
			counts["fresh"]++
		}
		if !failed {
			_ = os.WriteFile(aliveFile, nil, 0o600)
		}
		select {
		case <-second.C:
			commonName, serial := current()
			say("reads", map[string]any{"counts": counts, "commonName": commonName, "serial": serial})
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func readOnce() (string, error) {
	commonName, _ := current()
	client, err := connect()
	if err != nil {
		return commonName, err
	}
	defer client.Close()
	return commonName, read(client)
}

func connect() (*clientv3.Client, error) {
	config, err := transport.TLSInfo{
		TrustedCAFile: os.Getenv("ETCD_CA_CERT_FILE"),
		CertFile:      os.Getenv("ETCD_CERT_FILE"),
		KeyFile:       os.Getenv("ETCD_KEY_FILE"),
	}.ClientConfig()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{
		Endpoints:   strings.Split(os.Getenv("ETCD_ENDPOINTS"), ","),
		TLS:         config,
		DialTimeout: 5 * time.Second,
		Logger:      zap.NewNop(),
	})
}

// read asks for what every component of Calico may read.
func read(client *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := client.Get(ctx, "/calico/resources/v3/projectcalico.org/clusterinformations/default")
	return err
}

// probe is good as long as the loop has read from etcd lately.
func probe() {
	file, err := os.Stat(aliveFile)
	check(err)
	if age := time.Since(file.ModTime()); age > aliveFor {
		fail(fmt.Errorf("no read for %s", age))
	}
}

func current() (commonName, serial string) {
	text, err := os.ReadFile(os.Getenv("ETCD_CERT_FILE"))
	if err != nil {
		return "", ""
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", ""
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", ""
	}
	return certificate.Subject.CommonName, fmt.Sprintf("%x", certificate.SerialNumber)
}

// describe tells of every file below a directory what its reader sees: mode, owner and whether it can be read.
func describe(directory string) map[string]any {
	files := map[string]any{}
	entries, _ := os.ReadDir(directory)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		path := filepath.Join(directory, entry.Name())
		info, err := os.Stat(path)
		if err != nil {
			files[entry.Name()] = err.Error()
			continue
		}
		owner := info.Sys().(*syscall.Stat_t)
		_, err = os.ReadFile(path)
		files[entry.Name()] = map[string]any{
			"mode": fmt.Sprintf("%04o", info.Mode().Perm()), "uid": owner.Uid, "gid": owner.Gid, "readable": err == nil,
		}
	}
	return files
}

func say(event string, fields map[string]any) {
	fields["event"], fields["time"] = event, time.Now().UTC().Format(time.RFC3339Nano)
	fields["uid"], fields["gid"] = os.Getuid(), os.Getgid()
	line, _ := json.Marshal(fields)
	fmt.Println(string(line))
	// Beside the container's log, which goes with its pod: on the node, where there is a place.
	for _, place := range []string{"/var/lib/calico", hostCNI} {
		if log, err := os.OpenFile(filepath.Join(place, "stand-in.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			_, _ = fmt.Fprintln(log, string(line))
			_ = log.Close()
			break
		}
	}
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	say("ended", map[string]any{"error": err.Error()})
	os.Exit(1)
}
