package hl7_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/mllp"
	"github.com/labcourier/labcourier/drivers/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The simulator takes a Sender as it is.
var _ simulator.Sender = hl7.Sender{}

// Messages in the dialects of several vendors, written for these tests.
var (
	original = [][]byte{
		[]byte("MSH|^~\\&|SIM-A|LAB|||20261122080000||ORU^R01|1|P|2.3.1||||||\rPID|1\rOBR|1||S-100|^^^CBC^COUNT\rOBX|1|NM|^^^WBC^LEUCOCYTES||7.5|10*9/L|||||F\r"),
		[]byte("MSH|^~\\&|SIM-A|LAB|||20261122080100||ORU^R01|1|P|2.3.1||||||\nPID|1\nOBR|1||S-101|^^^CBC^COUNT\nOBX|1|NM|^^^WBC^LEUCOCYTES||6.1|10*9/L|||||F\n"),
		[]byte("MSH#*%!@#SIM-B####20261122080200##ORU*R32*ORU_R30#x@y#P#2.5\r\nOBR#1##S-102#GLU\r\nOBX#1#ST#GLU##NEG*######F"),
	}
	enhanced = [][]byte{
		[]byte("MSH|^~\\&|SIM-C||||20261122080000||ORU^R01^ORU_R01|a1|P|2.5.1|||AL|AL\rOBR|1||S-100|GLU\rOBX|1|NM|GLU||5.4|mmol/L|||||F\r"),
		[]byte("MSH|^~\\&|SIM-C||||20261122080000||ORU^R01^ORU_R01|a2|P|2.5.1|||AL|NE\rOBR|1||S-101|GLU\rOBX|1|NM|GLU||5.5|mmol/L|||||F\r"),
		[]byte("MSH|^~\\&|SIM-C||||20261122080000||ORU^R01^ORU_R01|a3|P|2.5.1|||AL|SU\rOBR|1||S-102|GLU\rOBX|1|NM|GLU||5.6|mmol/L|||||F\r"),
	}
	law = [][]byte{
		[]byte("MSH|^~\\&|SIM-D|Maker|Host|Lab|20261122080000||OUL^R22^OUL_R22|0b1f|P|2.5.1|||ER|AL||UNICODE UTF-8|||LAB-29^IHE\rSPM|1|S-100||SER|||||||P\rOBR||\"\"||CRE^CRE^D\rOBX|1|NM|CRE^CRE^D||1.11651742|mg/dL^mg/dL^D||NONE|||F\r"),
		[]byte("MSH|^~\\&|SIM-D|Maker|Host|Lab|20261122080001||OUL^R22^OUL_R22|0b20|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-29^IHE\rSPM|1|S-101||SER|||||||P\rOBR||\"\"||CRE^CRE^D\rOBX|1|NM|CRE^CRE^D||0.9|mg/dL^mg/dL^D||NONE|||F\r"),
		[]byte("MSH|^~\\&|SIM-D|Maker|Host|Lab|20261122080002||OUL^R22^OUL_R22|0b21|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-29^IHE\rSPM|1|S-102||SER|||||||Q\rOBR||\"\"||CRE^CRE^D\rOBX|1|NM|CRE^CRE^D||0.8|mg/dL^mg/dL^D||NONE|||F\r"),
	}
)

func suite(messages [][]byte) drivertest.Suite {
	return drivertest.Suite{
		Kind:     hl7.Kind(),
		Messages: messages,
		Send:     hl7.Sender{Timeout: time.Minute}.Send,
		Wire:     func(m []byte) []byte { return mllp.AppendBlock(nil, m) },
		Noise:    []byte("\x00\x00\r\n\x02\x02\x15\x06garbage\x03\x1c\r\xff"),
		Endless:  []byte("\x0bMSH|^~\\&|"),
		Filler:   []byte("abcdefgh"),
	}
}

func TestConformance(t *testing.T) {
	for name, messages := range map[string][][]byte{"original mode": original, "enhanced mode": enhanced, "LAW": law} {
		t.Run(name, func(t *testing.T) { drivertest.Run(t, suite(messages)) })
	}
}
