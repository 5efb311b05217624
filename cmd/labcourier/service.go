package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/packaging"
)

// What the service managers call this program.
const (
	serviceName        = "labcourier"
	serviceDescription = "Reads results from laboratory analyzers, keeps them safe, and delivers them to a FHIR server."
)

func (p *program) serviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "install, start and stop labcourier as a service of this computer",
		Long: "service makes labcourier a service of systemd, OpenRC, System V init or Windows, and steers it.\n" +
			"All but status need root or an administrator. The deb, rpm and msi packages install the service\n" +
			"themselves.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		p.serviceInstallCommand(),
		p.serviceUninstallCommand(),
		p.serviceSteerCommand("start", "start the service", "The service runs.", service.Service.Start),
		p.serviceSteerCommand("stop", "stop the service; what is under way gets its time to end", "The service is stopped.", service.Service.Stop),
		p.serviceSteerCommand("restart", "stop the service and start it again", "The service runs.", service.Service.Restart),
		p.serviceStatusCommand(),
	)
	return cmd
}

func (p *program) serviceInstallCommand() *cobra.Command {
	var (
		update, start bool
		first         packaging.Values
	)
	cmd := &cobra.Command{
		Use:   "install",
		Short: "make this program a service that starts with the computer",
		Long: "install makes this program, where it lies now, a service that starts with the computer, runs under an\n" +
			"account of its own and is started again when it dies. It starts it only with --start. Where there is no\n" +
			"configuration yet it writes one to begin with.",
		Args: noArgs,
	}
	file := configFlag(cmd)
	cmd.Flags().BoolVar(&update, "update", false, "bring a service that is installed up to date instead")
	cmd.Flags().BoolVar(&start, "start", false, "start it, if its configuration is in order")
	cmd.Flags().StringVar(&first.URL, "url", "", "for a first configuration: the server's FHIR `address`")
	cmd.Flags().StringVar(&first.TokenURL, "token-url", "", "for a first configuration: where tokens are given out, an `address`")
	cmd.Flags().StringVar(&first.ClientID, "client-id", "", "for a first configuration: the client's `id` at the server")
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := mustControl(); err != nil {
			return err
		}
		program, file, err := places(*file)
		if err != nil {
			return err
		}
		s, err := newService(program, file)
		if err != nil {
			return err
		}
		_, err = s.Status()
		installed := !errors.Is(err, service.ErrNotInstalled)
		switch {
		case installed && !update:
			return errors.New("the service is installed already: `labcourier service install --update` brings it up to date")
		case !installed && update:
			return notInstalled()
		}
		if err := s.install(update); err != nil {
			return fmt.Errorf("install the service: %w", err)
		}
		fmt.Fprintf(p.out, "labcourier is a service of %s.\n", s.Platform())
		if err := p.beginWith(file, first); err != nil {
			return err
		}
		return p.firstStart(s, file, start)
	}
	return cmd
}

// beginWith writes a first configuration, unless there is one.
func (p *program) beginWith(file string, v packaging.Values) error {
	text, err := packaging.Starter(v)
	if err != nil {
		return usageError{err}
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640) //nolint:gosec // G302: the service's group reads it, and there is no secret in it
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = letServiceRead(file)
	}
	if err != nil {
		return fmt.Errorf("write a first configuration: %w", err)
	}
	fmt.Fprintf(p.out, "%s is written; it is not complete.\n", file)
	return nil
}

// firstStart starts the service if that is wanted and its configuration is in
// order, or else says what is to be done. A service that runs already goes on
// with the new program.
func (p *program) firstStart(s *hostService, file string, wanted bool) error {
	if _, faults := config.Load(file, kinds()); faults != nil || !wanted {
		fmt.Fprintf(p.out, "Next: edit %s, then\n  labcourier check\n  labcourier service start\n", file)
		return nil //nolint:nilerr // check says what is wrong, to somebody who will be editing the file
	}
	begin := s.Start
	if state, _ := s.Status(); state == service.StatusRunning {
		begin = s.Restart
	}
	if err := begin(); err != nil {
		return fmt.Errorf("start the service: %w; %s", err, whereTheLogIs)
	}
	fmt.Fprintln(p.out, "The service runs.")
	return nil
}

// places are this program and its configuration as the service will name them.
func places(file string) (program, config string, err error) {
	if program, err = os.Executable(); err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return "", "", fmt.Errorf("find this program's own file: %w", err)
	}
	if config, err = filepath.Abs(file); err != nil {
		return "", "", fmt.Errorf("find the configuration: %w", err)
	}
	return program, config, nil
}

func (p *program) serviceUninstallCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "stop the service and take it out; configuration and data stay",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := p.controlled()
			if err != nil {
				return err
			}
			if state, _ := s.Status(); state == service.StatusRunning {
				if err := s.Stop(); err != nil {
					return fmt.Errorf("stop the service: %w", err)
				}
			}
			if err := s.Uninstall(); err != nil {
				return fmt.Errorf("uninstall the service: %w", err)
			}
			fmt.Fprintln(p.out, "The service is gone. Configuration and data are where they were.")
			return nil
		},
	}
}

func (p *program) serviceSteerCommand(name, short, done string, do func(service.Service) error) *cobra.Command {
	return &cobra.Command{
		Use:   name,
		Short: short,
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := p.controlled()
			if err != nil {
				return err
			}
			if err := do(s); err != nil {
				return fmt.Errorf("%s the service: %w; %s", name, err, whereTheLogIs)
			}
			fmt.Fprintln(p.out, done)
			return nil
		},
	}
}

// controlled is the installed service, for somebody who may steer it.
func (p *program) controlled() (*hostService, error) {
	if err := mustControl(); err != nil {
		return nil, err
	}
	s, err := newService("", "")
	if err != nil {
		return nil, err
	}
	if _, err := s.Status(); errors.Is(err, service.ErrNotInstalled) {
		return nil, notInstalled()
	}
	return s, nil
}

func notInstalled() error {
	return errors.New("labcourier is not installed as a service: `labcourier service install` does that")
}

func (p *program) serviceStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "say whether the service is installed and runs",
		Long:  "status says whether the service is installed and runs; it exits with 1 unless it runs. How the agent\ndoes is told by `labcourier status`.",
		Args:  noArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.RunE = func(*cobra.Command, []string) error {
		s, err := newService("", "")
		if err != nil {
			return err
		}
		state, fault := s.Status()
		told := struct {
			Manager   string `json:"manager"`
			Installed bool   `json:"installed"`
			Running   bool   `json:"running"`
		}{s.Platform(), !errors.Is(fault, service.ErrNotInstalled), state == service.StatusRunning}
		if asJSON {
			if err := json.NewEncoder(p.out).Encode(told); err != nil {
				return err
			}
		}
		switch {
		case told.Running && !asJSON:
			fmt.Fprintf(p.out, "The service runs under %s.\n", told.Manager)
		case !told.Installed:
			return notInstalled()
		case fault != nil:
			return fmt.Errorf("%w; %s", fault, whereTheLogIs)
		case !told.Running:
			return errors.New("the service is installed and does not run: `labcourier service start` starts it")
		}
		return nil
	}
	return cmd
}

// hostService is labcourier in the hands of this computer's service manager. It
// goes round what the library does wrong there.
type hostService struct {
	service.Service
	program, config string // "" unless it is to be installed
}

func (s *hostService) install(update bool) error {
	if update {
		return s.update()
	}
	return s.Install()
}

// neverRun fills the library's place for a program: `run` does without.
type neverRun struct{}

var _ service.Interface = neverRun{}

// Start does nothing.
func (neverRun) Start(service.Service) error { return nil }

// Stop does nothing.
func (neverRun) Stop(service.Service) error { return nil }

// newServiceWith wraps what the library makes of c.
func newServiceWith(c service.Config, program, config string) (*hostService, error) {
	c.Name, c.DisplayName, c.Description = serviceName, serviceName, serviceDescription
	c.Executable, c.Arguments = program, []string{"run", "--config", config}
	s, err := service.New(neverRun{}, &c)
	if err != nil {
		return nil, fmt.Errorf("find the service manager of this computer: %w", err)
	}
	return &hostService{Service: s, program: program, config: config}, nil
}
