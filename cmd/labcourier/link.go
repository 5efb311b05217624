package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/port"
)

// link is an end of a connection as a flag names it.
type link struct {
	port   drivers.Port
	serial bool
}

// linkForms is how such a flag is written, for help and errors.
const linkForms = "listen:HOST:PORT, connect:HOST:PORT or serial:DEVICE[,9600[,8N1[,rts-cts]]]"

// parseLink reads "listen:0.0.0.0:4001", "connect:10.0.5.12:4001" or
// "serial:COM3,9600,8N1".
func parseLink(flag, text string) (link, error) {
	how, rest, found := strings.Cut(text, ":")
	if !found || rest == "" {
		return link{}, fmt.Errorf("%s: write it as %s", flag, linkForms)
	}
	var l link
	var err error
	switch how {
	case "listen":
		l.port, err = port.Listen(port.ListenConfig{Address: rest, MaxConns: 64})
	case "connect":
		l.port, err = port.Connect(port.ConnectConfig{Address: rest})
	case "serial":
		l.serial = true
		var c port.SerialConfig
		if c, err = serialSettings(rest); err == nil {
			l.port, err = port.Serial(c)
		}
	default:
		err = fmt.Errorf("%q is not a way to connect: write it as %s", how, linkForms)
	}
	if err != nil {
		return link{}, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
}

// serialSettings reads DEVICE[,baud[,format[,flow control]]].
func serialSettings(text string) (c port.SerialConfig, err error) {
	parts := strings.Split(text, ",")
	c.Device = parts[0]
	if len(parts) > 4 {
		return c, fmt.Errorf("%q has too many parts: write DEVICE,9600,8N1,rts-cts", text)
	}
	if len(parts) > 1 {
		if c.Baud, err = strconv.Atoi(parts[1]); err != nil {
			return c, fmt.Errorf("%q is not a speed: write DEVICE,9600", parts[1])
		}
	}
	if len(parts) > 2 {
		if err := lineFormat(&c, parts[2]); err != nil {
			return c, err
		}
	}
	if len(parts) > 3 {
		c.FlowControl = parts[3]
	}
	return c, nil
}

// lineFormat reads "8N1".
func lineFormat(c *port.SerialConfig, text string) error {
	m := regexp.MustCompile(`^([5-8])([NOEMS])(1|1\.5|2)$`).FindStringSubmatch(strings.ToUpper(text))
	if m == nil {
		return fmt.Errorf("%q is not a character format: write data bits, parity and stop bits, such as 8N1 or 7E1", text)
	}
	c.DataBits = int(m[1][0] - '0')
	c.Parity = map[string]string{"N": "none", "O": "odd", "E": "even", "M": "mark", "S": "space"}[m[2]]
	c.StopBits = m[3]
	return nil
}
