// Docker Engine 29, as its own main starts it. Its name keeps it from standing before the system's.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/moby/moby/v2/daemon/command"
	"github.com/moby/sys/reexec"
)

func main() {
	if reexec.Init() {
		return
	}
	runner, err := command.NewDaemonRunner(os.Stdout, os.Stderr)
	if err == nil {
		err = runner.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
