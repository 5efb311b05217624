package main

import (
	"crypto/sha1" //nolint:gosec // G505: how Windows makes a service's SID, and no protection
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf16"
	"unsafe"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/labcourier/labcourier/agent/config"
)

const whereTheLogIs = "see the source labcourier in the event viewer, Windows Logs, Application"

// serviceAccount is a virtual account: Windows makes it, it has no password, and
// nobody can log on with it.
const serviceAccount = `NT SERVICE\` + serviceName

// How long the commands wait for the manager. The library waits for ever.
const (
	startWithin = 2 * time.Minute
	stopWithin  = 2 * time.Minute
	shutdownMS  = 30_000 // what the manager gives the service when the computer goes down
)

// mustControl refuses who may not steer services.
func mustControl() error {
	if !windows.GetCurrentProcessToken().IsElevated() {
		return errors.New("this needs an administrator: open the command prompt with \"Run as administrator\"")
	}
	return nil
}

// newService is the service at these places, which may be empty unless it is to
// be installed.
func newService(program, config string) (*hostService, error) {
	return newServiceWith(service.Config{
		UserName: serviceAccount,
		Option:   service.KeyValue{"DelayedAutoStart": true},
	}, program, config)
}

// Install makes the service, with all that the library has no word for.
func (s *hostService) Install() error {
	if err := s.Service.Install(); err != nil {
		return err
	}
	if err := s.update(); err != nil {
		return errors.Join(err, s.Uninstall())
	}
	return nil
}

// update sets what the library does not: recovery also when the agent ends with
// an error, not only when it crashes; no privileges; time to stop when the
// computer goes down; and the rights on the data folder.
func (s *hostService) update() error {
	return withService(func(sv *mgr.Service) error {
		c, err := sv.Config()
		if err != nil {
			return err
		}
		c.ServiceStartName, c.StartType, c.DelayedAutoStart = serviceAccount, mgr.StartAutomatic, true
		c.DisplayName, c.Description, c.SidType = serviceName, serviceDescription, windows.SERVICE_SID_TYPE_UNRESTRICTED
		if err := sv.UpdateConfig(c); err != nil {
			return err
		}
		again := func(after time.Duration) mgr.RecoveryAction {
			return mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: after}
		}
		const day = 24 * 60 * 60 // after so many seconds without a failure they count from the first again
		if err := sv.SetRecoveryActions([]mgr.RecoveryAction{again(5 * time.Second), again(15 * time.Second), again(time.Minute)}, day); err != nil {
			return fmt.Errorf("set the recovery actions: %w", err)
		}
		if err := sv.SetRecoveryActionsOnNonCrashFailures(true); err != nil {
			return fmt.Errorf("set the recovery actions: %w", err)
		}
		if err := restrict(sv.Handle); err != nil {
			return err
		}
		return own(config.DefaultDataDir())
	})
}

// restrict leaves the service the one privilege that everybody has, and gives it
// its time when the computer goes down.
func restrict(h windows.Handle) error {
	needed, err := windows.UTF16FromString("SeChangeNotifyPrivilege")
	if err != nil {
		return err
	}
	needed = append(needed, 0) // a list of texts ends with an empty one
	privileges := struct{ list *uint16 }{&needed[0]}
	//nolint:gosec // G103: the call takes a different structure for each level
	if err := windows.ChangeServiceConfig2(h, windows.SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, (*byte)(unsafe.Pointer(&privileges))); err != nil {
		return fmt.Errorf("take the service's privileges away: %w", err)
	}
	limit := struct{ ms uint32 }{shutdownMS}
	//nolint:gosec // G103: as above
	if err := windows.ChangeServiceConfig2(h, windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, (*byte)(unsafe.Pointer(&limit))); err != nil {
		return fmt.Errorf("set the time to shut down: %w", err)
	}
	return nil
}

// own makes the data folder and leaves rights on it to the system, to
// administrators and to the service: by default every user may read what lies
// under ProgramData.
func own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	sd, err := windows.SecurityDescriptorFromString(dataACL())
	if err != nil {
		return fmt.Errorf("set the rights on %s: %w", dir, err)
	}
	acl, _, err := sd.DACL()
	if err == nil {
		err = windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
			windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, acl, nil)
	}
	if err != nil {
		return fmt.Errorf("set the rights on %s: %w", dir, err)
	}
	return nil
}

// letServiceRead has nothing to do: the folder hands its rights down.
func letServiceRead(string) error { return nil }

// dataACL is the access list of the data folder, inherited by all that is in it:
// system and administrators everything, the service to read, write and delete.
func dataACL() string {
	return "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;" + serviceSID(serviceName) + ")"
}

// serviceSID is the SID of a service's account, which Windows makes from its
// name. Computed, it is known before the service is.
func serviceSID(name string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	sum := sha1.Sum(text) //nolint:gosec // G401: see the import
	var sid strings.Builder
	sid.WriteString("S-1-5-80")
	for i := 0; i < len(sum); i += 4 {
		fmt.Fprintf(&sid, "-%d", binary.LittleEndian.Uint32(sum[i:]))
	}
	return sid.String()
}

// Start starts the service and waits until it runs.
func (s *hostService) Start() error {
	return withService(func(sv *mgr.Service) error {
		if err := sv.Start(); err != nil {
			return err
		}
		return await(sv, svc.Running, startWithin)
	})
}

// Stop stops the service and waits until it is stopped.
func (s *hostService) Stop() error { return withService(stop) }

// Restart is Stop and Start.
func (s *hostService) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start()
}

func stop(sv *mgr.Service) error {
	if _, err := sv.Control(svc.Stop); errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return nil
	} else if err != nil {
		return err
	}
	return await(sv, svc.Stopped, stopWithin)
}

// await waits until the service is in a state. A service that stops instead of
// starting has failed.
func await(sv *mgr.Service, want svc.State, within time.Duration) error {
	limit := time.NewTimer(within)
	defer limit.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := sv.Query()
		switch {
		case err != nil:
			return err
		case state.State == want:
			return nil
		case state.State == svc.Stopped:
			return fmt.Errorf("it stopped again, with code %d", state.ServiceSpecificExitCode)
		}
		select {
		case <-tick.C:
		case <-limit.C:
			return fmt.Errorf("it did not come to that within %s", within)
		}
	}
}

// withService opens the installed service for do.
func withService(do func(*mgr.Service) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("reach the service manager: %w", err)
	}
	defer func() { _ = m.Disconnect() }()
	sv, err := m.OpenService(serviceName)
	if err != nil {
		return fmt.Errorf("open the service: %w", err)
	}
	defer func() { _ = sv.Close() }()
	return do(sv)
}
