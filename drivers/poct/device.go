package poct

import (
	"bytes"
	"regexp"

	"golang.org/x/text/encoding"

	"github.com/labcourier/labcourier/drivers"
)

// identity returns the elements of a HEL that say which device sent it, byte for
// byte, one behind the other: nothing that changes from one conversation to the
// next is among them, so that a result that is sent again stays the same bytes.
func identity(hello []byte) []byte {
	found := regexp.MustCompile(`<DEV\.(?:manufacturer_name|vendor_id|model_id|serial_id|device_id)\s[^<>]{0,256}/>`).FindAll(hello, 8)
	return bytes.Join(found, nil)
}

// cutIdentity cuts what identity returned off a stored message.
func cutIdentity(payload []byte) (identity, document []byte) {
	n := 0
	for bytes.HasPrefix(payload[n:], []byte("<DEV.")) {
		end := bytes.Index(payload[n:], []byte("/>"))
		if end < 0 {
			break
		}
		n += end + len("/>")
	}
	return payload[:n], payload[n:]
}

// sender is the device that HEL named.
func sender(identity []byte, charset encoding.Encoding) (s drivers.Sender) {
	if len(identity) == 0 {
		return s
	}
	e, err := readDocument(bytes.Join([][]byte{[]byte("<DEV>"), identity, []byte("</DEV>")}, nil), charset)
	if err != nil {
		return s
	}
	return drivers.Sender{
		Manufacturer: or(e.value("DEV.manufacturer_name"), e.value("DEV.vendor_id")),
		Model:        e.value("DEV.model_id"),
		Serial:       or(e.value("DEV.serial_id"), e.value("DEV.device_id")),
	}
}
