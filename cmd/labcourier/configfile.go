package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/folder"
	"github.com/labcourier/labcourier/drivers/port"
)

// defaultConfig is the platform's place for the configuration.
func defaultConfig() string {
	if runtime.GOOS == "windows" {
		base := os.Getenv("ProgramData")
		if base == "" {
			base = `C:\ProgramData`
		}
		return filepath.Join(base, "labcourier", "labcourier.toml")
	}
	return "/etc/labcourier/labcourier.toml"
}

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", defaultConfig(), "the configuration `file`")
}

// configured makes the body of a command that writes JSON if asked to and needs the
// configuration, which it reads from file.
func configured(cmd *cobra.Command, file *string, call func(ctx context.Context, cfg *config.Config, asJSON bool) error) {
	asJSON := cmd.Flags().Bool("json", false, "write JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*file, kinds())
		if err != nil {
			return err
		}
		return call(cmd.Context(), cfg, *asJSON)
	}
}

// configuredAnalyzer reads the configuration and finds one analyzer in it.
func configuredAnalyzer(file, name string) (*config.Config, config.Analyzer, error) {
	cfg, err := config.Load(file, kinds())
	if err != nil {
		return nil, config.Analyzer{}, err
	}
	an, ok := analyzerNamed(cfg, name)
	if !ok {
		return nil, config.Analyzer{}, usageError{fmt.Errorf("no analyzer %q in %s", name, file)}
	}
	return cfg, an, nil
}

func analyzerNamed(cfg *config.Config, name string) (config.Analyzer, bool) {
	for _, an := range cfg.Analyzers {
		if an.Name == name {
			return an, true
		}
	}
	return config.Analyzer{}, false
}

// openPort makes the port that an analyzer's configuration describes.
func openPort(an config.Analyzer) (drivers.Port, error) {
	switch {
	case an.Serial != nil:
		s := an.Serial
		return port.Serial(port.SerialConfig{
			Device: s.Device, Baud: s.Baud, DataBits: s.DataBits,
			Parity: s.Parity, StopBits: s.StopBits.String(), FlowControl: s.FlowControl,
		})
	case an.TCP != nil && an.TCP.Listen != "":
		return port.Listen(port.ListenConfig{Address: an.TCP.Listen, Allow: an.TCP.Prefixes, MaxConns: an.TCP.MaxConnections})
	case an.TCP != nil:
		return port.Connect(port.ConnectConfig{Address: an.TCP.Connect, DialTimeout: an.TCP.DialTimeout})
	case an.Folder != nil:
		return folder.New(folderOptions(an.Folder)), nil
	}
	return nil, fmt.Errorf("it has neither a serial line, nor tcp, nor a folder")
}

func folderOptions(f *config.Folder) folder.Options {
	return folder.Options{
		Path: f.Path, Pattern: f.Pattern, Done: f.Done, Settle: f.Settle, Keep: f.Keep,
		MaxFile: int64(f.MaxFile), Journal: f.Journal,
	}
}
