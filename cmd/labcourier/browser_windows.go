package main

import (
	"context"

	"golang.org/x/sys/windows"
)

// openBrowser shows a page in this user's browser.
func openBrowser(_ context.Context, link string) error {
	verb, err := windows.UTF16PtrFromString("open")
	if err != nil {
		return err
	}
	target, err := windows.UTF16PtrFromString(link)
	if err != nil {
		return err
	}
	return windows.ShellExecute(0, verb, target, nil, nil, windows.SW_SHOWNORMAL)
}
