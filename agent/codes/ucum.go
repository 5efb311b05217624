package codes

import (
	"strings"
)

// CheckUCUM says what is wrong with a UCUM code, case-sensitive form, "" if
// nothing is. It knows UCUM's grammar and the units that laboratories use, not
// all of UCUM's: certain is false where only a unit is unknown to it.
func CheckUCUM(code string) (wrong string, certain bool) {
	if code == "" || len(code) > 100 {
		return "is not a UCUM code: it is empty or too long", true
	}
	for i := range len(code) {
		if code[i] < '!' || code[i] > '~' {
			return "is not a UCUM code: those have neither blanks nor letters beyond ASCII", true
		}
	}
	c := ucumCheck{rest: code, metric: map[string]bool{}}
	for a := range strings.FieldsSeq(atoms) {
		name, plain := strings.CutPrefix(a, "-")
		c.metric[name] = !plain
	}
	c.cut("/")
	c.term(0)
	if c.wrong == "" && c.rest != "" {
		c.wrong = "is not a UCUM code: " + c.rest + " cannot follow there"
	}
	return c.wrong, !c.unsure
}

// atoms are units of UCUM in use in laboratories. Those that take no prefix
// have a hyphen before them.
const atoms = `m s g rad K C cd mol sr Hz N Pa J W A V F Ohm S Wb Cel T H lm lx Bq Gy Sv L l
kat U eq osm bar cal [IU] [iU] t eV u Np B
-10* -10^ -% -[ppth] -[ppm] -[ppb] -[pptr] -[pi] -min -h -d -wk -mo -a -deg -' -''
m[Hg] -[HPF] -[LPF] -[pH] -[CFU] -[PFU] -[arb'U] -[USP'U] -[GPL'U] -[MPL'U] -[APL'U] -[beth'U] -[anti'Xa'U]
-[Amb'a'1'U] -[CCID_50] -[EID_50] -[FFU] -[BAU] -[AU] -[LFU] -[D'ag'U] -[knk'U] -[mclg'U] -[tb'U] -[todd'U]
-[dye'U] -[smgy'U] -[bdsk'U] -[ka'U] -[drp] -[degF] -[in_i] -[ft_i] -[lb_av] -[oz_av] -st`

const ucumPrefixes = "Y Z E P T G M k h da d c m u n p f a z y"

// ucumCheck reads a code from left to right.
type ucumCheck struct {
	rest   string
	metric map[string]bool // atom: takes a prefix
	wrong  string
	unsure bool // wrong is only that a unit is not known
}

func (c *ucumCheck) cut(s string) (ok bool) {
	c.rest, ok = strings.CutPrefix(c.rest, s)
	return ok
}

// term is components with "." and "/" between them.
func (c *ucumCheck) term(depth int) {
	if depth > 5 {
		c.wrong = "is not a UCUM code: it has too many brackets"
	}
	for c.wrong == "" {
		c.component(depth)
		if !c.cut(".") && !c.cut("/") {
			return
		}
	}
}

// component is a term in brackets, an annotation, or a unit or a number with
// or without an annotation.
func (c *ucumCheck) component(depth int) {
	switch {
	case c.cut("("):
		c.term(depth + 1)
		if c.wrong == "" && !c.cut(")") {
			c.wrong = "is not a UCUM code: a bracket ( is not closed"
		}
	case strings.HasPrefix(c.rest, "{"):
		c.annotation()
	default:
		c.unit()
		if strings.HasPrefix(c.rest, "{") {
			c.annotation()
		}
	}
}

func (c *ucumCheck) annotation() {
	end := strings.IndexByte(c.rest, '}')
	if end < 0 || strings.Contains(c.rest[1:end], "{") {
		c.wrong = "is not a UCUM code: a bracket { is not closed"
		return
	}
	c.rest = c.rest[end+1:]
}

// unit is a number, or an atom with its prefix and exponent.
func (c *ucumCheck) unit() {
	word := c.word()
	if word == "" {
		c.wrong = "is not a UCUM code: a unit is missing"
		return
	}
	if strings.Trim(word, "0123456789") == "" || c.known(word) {
		return
	}
	c.wrong, c.unsure = "is not a UCUM code that laboratories use: "+word+" is not known", true
}

// word takes what stands before the next operator. Brackets [ ] hold anything.
func (c *ucumCheck) word() string {
	inside, i := false, 0
	for ; i < len(c.rest); i++ {
		b := c.rest[i]
		if b == '[' {
			inside = true
		}
		if b == ']' {
			inside = false
		}
		if !inside && strings.IndexByte("./(){}", b) >= 0 {
			break
		}
	}
	word := c.rest[:i]
	c.rest = c.rest[i:]
	return word
}

func (c *ucumCheck) known(word string) bool {
	if _, ok := c.metric[word]; ok {
		return true
	}
	base := strings.TrimRight(word, "0123456789")
	if base != word {
		base = strings.TrimRight(base, "+-")
	}
	if _, ok := c.metric[base]; ok {
		return true
	}
	for p := range strings.FieldsSeq(ucumPrefixes) {
		if atom, ok := strings.CutPrefix(base, p); ok && c.metric[atom] {
			return true
		}
	}
	return false
}
