package port

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"
)

// list reads the table that the drivers of serial lines enter themselves into:
// the values are COM names, named by the driver's device.
func list() ([]Info, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `HARDWARE\DEVICEMAP\SERIALCOMM`, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil // there has been no serial line since the start
	}
	if err != nil {
		return nil, fmt.Errorf("list serial ports: %w", err)
	}
	defer k.Close()
	devices, err := k.ReadValueNames(-1)
	if err != nil {
		return nil, fmt.Errorf("list serial ports: %w", err)
	}
	var infos []Info
	for _, device := range devices {
		if name, _, err := k.GetStringValue(device); err == nil { // it may just have been pulled out
			infos = append(infos, Info{Name: name, Description: device})
		}
	}
	return infos, nil
}
