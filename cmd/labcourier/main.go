package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a lab PC may have no time zones of its own

	"github.com/labcourier/labcourier/agent/config"
)

// Exit codes; they are part of the command line's promise.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2 // wrong use, or a configuration with faults
	exitDiffers = 3 // validate-interface: the server does not hold what was sent
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	code := p.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// program is one run of the command, with its surroundings, so that a test can
// run it in its own process.
type program struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is an error of the caller: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func (p *program) main(ctx context.Context, args []string) int {
	root := p.command()
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(p.err, "labcourier:", err)
	_, isUsage := errors.AsType[usageError](err)
	_, isConfig := errors.AsType[config.Faults](err)
	if isUsage || isConfig {
		return exitUsage
	}
	if _, differs := errors.AsType[differsError](err); differs {
		return exitDiffers
	}
	return exitFailed
}
