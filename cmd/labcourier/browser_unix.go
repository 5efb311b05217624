//go:build !windows

package main

import (
	"context"
	"os/exec"
	"runtime"
)

// openBrowser shows a page in this user's browser.
func openBrowser(ctx context.Context, link string) error {
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	}
	return exec.CommandContext(ctx, opener, link).Run()
}
