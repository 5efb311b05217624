package main

import (
	"testing"

	"golang.org/x/sys/windows"
)

func TestServiceSID(t *testing.T) {
	// As Windows itself has it on every computer.
	const installer = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
	if got := serviceSID("TrustedInstaller"); got != installer {
		t.Errorf("the SID of TrustedInstaller is %s, not %s", installer, got)
	}
	if _, err := windows.SecurityDescriptorFromString(dataACL()); err != nil {
		t.Errorf("%s: %v", dataACL(), err)
	}
}
