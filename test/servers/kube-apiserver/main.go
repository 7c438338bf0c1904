// Command kube-apiserver is the real Kubernetes API server for tests: upstream's own command with upstream's flags.
//
// With TEST_STOP_ON_STDIN_END=1 in the environment it exits when standard input closes, so that a killed test leaves
// no orphan.
package main

import (
	"io"
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	if os.Getenv("TEST_STOP_ON_STDIN_END") == "1" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			// At once: the graceful way waits for an etcd that is gone by now as well.
			os.Exit(0)
		}()
	}
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
