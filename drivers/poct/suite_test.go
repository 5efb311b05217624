package poct_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/poct"
)

// messages in the dialects of several vendors, written for these tests.
func messages() [][]byte {
	return [][]byte{
		[]byte(`<OBS.R01><HDR><HDR.control_id V="10003"/><HDR.version_id V="POCT1"/><HDR.creation_dttm V="2026-11-22T08:16:00+01:00"/></HDR>` +
			`<SVC><SVC.role_cd V="OBS"/><SVC.observation_dttm V="2026-11-22T08:15:00+01:00"/><SVC.reason_cd V="NEW"/>` +
			`<PT><PT.patient_id V="P-1"/><OBS><OBS.observation_id V="4548-4" SN="LN" DN="HbA1c"/><OBS.value V="5.9" U="%"/><OBS.method_cd V="M"/></OBS></PT>` +
			`<OPR><OPR.operator_id V="op1"/></OPR><ORD><ORD.order_id V="S-100"/></ORD></SVC></OBS.R01>`),
		[]byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n<OBS.R01>\r\n  <HDR>\r\n    <HDR.message_type V='OBS.R01'/>\r\n    <HDR.control_id V='7'/>\r\n  </HDR>\r\n" +
			"  <!-- a comment with <tags> & one - -->\r\n  <SVC><SVC.role_cd V='OBS'/><PT><PT.name V='M\xfcller'/>" +
			"<OBS><OBS.observation_id V='GLU'/><OBS.value V='&gt; 30' U='mmol/L'/><NTE><NTE.text V='>'><![CDATA[a </OBS.R01> in text]]></NTE.text></NTE></OBS></PT></SVC>\r\n</OBS.R01>"),
		[]byte(`<OBS.R02><HDR><HDR.control_id V="00018"/></HDR><SVC><SVC.role_cd V="LQC"/><CTC><CTC.name V="Level 1"/><CTC.lot_number V="L123"/>` +
			`<OBS><OBS.observation_id V="GLU"/><OBS.value V="3.1" U="mmol/L"/></OBS></CTC></SVC></OBS.R02>`),
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func suite(send poct.Sender) drivertest.Suite {
	return drivertest.Suite{
		Kind:     poct.Kind(),
		Messages: messages(),
		Send:     send.Send,
		Wire:     send.Wire,
		Noise:    []byte("\xEF\xBB\xBF\x00\r\n garbage > ]]> < <1 <<\x1B"),
		Endless:  []byte(`<OBS.R01><HDR><HDR.control_id V="`),
		Filler:   []byte("abcdefgh"),
	}
}

func TestConformance(t *testing.T) {
	for name, send := range map[string]poct.Sender{"basic": {Anonymous: true}, "continuous": {Anonymous: true, Continuous: true}} {
		t.Run(name, func(t *testing.T) { drivertest.Run(t, suite(send)) })
	}
	s := suite(poct.Sender{Anonymous: true, Continuous: true})
	s.Section = drivertest.Section(func(dst any) error {
		dst.(*poct.Options).SetClock = true
		return nil
	})
	t.Run("with the clock", func(t *testing.T) { drivertest.Run(t, s) })
	deep := suite(poct.Sender{Anonymous: true})
	deep.Filler = []byte("<a>")
	deep.Endless = []byte("<OBS.R01>")
	t.Run("nested without end", func(t *testing.T) { drivertest.Run(t, deep) })
}
