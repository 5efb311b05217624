package main

import (
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
