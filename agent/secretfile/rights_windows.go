package secretfile

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// crowds are the groups whose members are not chosen: who is one of them is not
// a person to be trusted with a secret.
func crowds() []windows.WELL_KNOWN_SID_TYPE {
	return []windows.WELL_KNOWN_SID_TYPE{
		windows.WinWorldSid, windows.WinAuthenticatedUserSid, windows.WinBuiltinUsersSid,
		windows.WinBuiltinGuestsSid, windows.WinInteractiveSid, windows.WinNetworkSid, windows.WinAnonymousSid,
	}
}

// reading are the rights any of which lets somebody read a file, or take the
// right to.
const reading = windows.FILE_READ_DATA | windows.GENERIC_READ | windows.GENERIC_ALL | windows.WRITE_DAC | windows.WRITE_OWNER

// Exposed says what is wrong with the rights on the file at path, and what to
// do; "" if nothing is, or if it cannot be looked at.
func Exposed(path string) (problem, remedy string) {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return "", ""
	}
	who := "everybody"
	if dacl, _, err := sd.DACL(); err == nil && dacl != nil {
		if who = reader(dacl); who == "" {
			return "", ""
		}
	}
	return who + " can read it",
		fmt.Sprintf(`take that away: icacls "%s" /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F "NT SERVICE\labcourier":R`, path)
}

// reader names a crowd that an access list lets read, "" if there is none. What
// a list denies is not looked at: to rely on that is asking for trouble.
func reader(dacl *windows.ACL) string {
	for i := range uint32(dacl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if windows.GetAce(dacl, i, &ace) != nil || ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || ace.Mask&reading == 0 ||
			ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 {
			continue
		}
		sid := (*windows.SID)(unsafe.Pointer(&ace.SidStart)) //nolint:gosec // how the access list is laid out
		for _, crowd := range crowds() {
			if sid.IsWellKnown(crowd) {
				if account, domain, _, err := sid.LookupAccount(""); err == nil {
					return domain + `\` + account
				}
				return sid.String()
			}
		}
	}
	return ""
}

// restrict lets the system, the administrators, the user that runs this and the
// given account have a file or folder, and nobody else.
func restrict(path, account string) error {
	var entries []windows.EXPLICIT_ACCESS
	grant := func(sid *windows.SID, rights windows.ACCESS_MASK) {
		entries = append(entries, windows.EXPLICIT_ACCESS{
			AccessPermissions: rights, AccessMode: windows.GRANT_ACCESS,
			Inheritance: windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT,
			Trustee:     windows.TRUSTEE{TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeValue: windows.TrusteeValueFromSID(sid)},
		})
	}
	for _, known := range []windows.WELL_KNOWN_SID_TYPE{windows.WinLocalSystemSid, windows.WinBuiltinAdministratorsSid} {
		sid, err := windows.CreateWellKnownSid(known)
		if err != nil {
			return fmt.Errorf("make the access list: %w", err)
		}
		grant(sid, windows.GENERIC_ALL)
	}
	if me, err := windows.GetCurrentProcessToken().GetTokenUser(); err == nil {
		grant(me.User.Sid, windows.GENERIC_ALL)
	}
	if account != "" {
		// Before the service is installed there is no such account.
		if sid, _, _, err := windows.LookupSID("", account); err == nil {
			grant(sid, windows.GENERIC_READ|windows.GENERIC_EXECUTE)
		}
	}
	acl, err := windows.ACLFromEntries(entries, nil)
	if err != nil {
		return fmt.Errorf("make the access list: %w", err)
	}
	err = windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, acl, nil)
	if err != nil {
		return fmt.Errorf("set the access list: %w", err)
	}
	return nil
}

// Owner is whom Write lets read a file when it is asked to give it to that
// account.
func Owner(account string) string {
	if _, _, _, err := windows.LookupSID("", account); account != "" && err == nil {
		return account
	}
	return "the administrators"
}
