package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/labcourier/labcourier/drivers/port"
)

func (p *program) portsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ports",
		Short: "list the serial ports of this computer",
		Long:  "ports lists the serial ports. Where a port has a stable name, use that one in the configuration:\nthe other may change when adapters are plugged in another order.",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			found, err := port.List()
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.out).Encode(append([]port.Info{}, found...))
			}
			if len(found) == 0 {
				fmt.Fprintln(p.out, "No serial port found. Plug the adapter in, and look again.")
				return nil
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			for _, i := range found {
				name := i.Stable
				if name == "" {
					name = i.Name
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", name, i.Name, i.Description)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}
