package usage

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/faregate/faregate/metering/tokens"
)

// journal is a reader that writes down what it hears.
type journal []string

func (j *journal) begin(f field) { *j = append(*j, fmt.Sprint("begin ", f)) }
func (j *journal) end(f field)   { *j = append(*j, fmt.Sprint("end ", f)) }
func (j *journal) value(f field, k kind, text []byte) {
	*j = append(*j, fmt.Sprintf("value %d %d %q", f, k, text))
}
func (j *journal) length(f field, text *tokens.Text) {
	*j = append(*j, fmt.Sprintf("length %d %+v", f, *text))
}

func (j *journal) textLength(f field, text []byte) {
	var made tokens.Text
	made.Add(text)
	j.length(f, &made)
}

var journalRoot = func() *node {
	leaves := []member{
		{"a", &node{field: 1, take: takeValue}},
		{"b", &node{field: 2, take: takeLength}},
		{"c", &node{field: 3, take: takeSize}},
		{"é\n", &node{field: 4, take: takeValue}},
	}
	object := &node{field: 5, take: takeValue, marks: true, members: leaves}
	root := append([]member{
		{"d", object},
		{"e", &node{field: 6, marks: true, element: object}},
		{"f", &node{members: []member{{"g", &node{element: &node{field: 7, take: takeLength}}}}}},
	}, leaves...)
	return &node{field: 8, marks: true, members: root, element: &node{members: root}}
}()

// scanAll scans a document in pieces of one size. The line feed at the end ends a number.
func scanAll(document []byte, size int) (journal, *scanner) {
	var j journal
	s := &scanner{reader: &j, root: journalRoot}
	s.reset()
	for piece := range slices.Chunk(append(bytes.Clone(document), '\n'), size) {
		s.feed(piece)
	}
	return j, s
}

// scanSimply finds the same with a complete JSON parser.
func scanSimply(d *jsontext.Decoder, n *node, j *journal) error {
	kind := d.PeekKind()
	switch {
	case kind == '{' && n != nil && n.members != nil:
		return scanContainer(d, n, j, '}')
	case kind == '[' && n != nil && n.element != nil:
		return scanContainer(d, n, j, ']')
	}
	raw, err := d.ReadValue()
	if err != nil || n == nil || n.take == takeNothing {
		return err
	}
	if kind == '{' || kind == '[' {
		if n.take == takeSize {
			j.textLength(n.field, raw)
		}
		return nil
	}
	if kind == '"' {
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		if n.take != takeValue {
			j.textLength(n.field, text)
			return nil
		}
		if len(raw)-2 > maxValue {
			text = nil
		}
		j.value(n.field, kindString, text)
		return nil
	}
	if len(raw) > maxValue {
		raw = raw[:maxValue]
	}
	if n.take == takeSize && kind != 'n' {
		j.textLength(n.field, raw)
	}
	if n.take != takeValue {
		return nil
	}
	j.value(n.field, literalKinds[kind], raw)
	return nil
}

var literalKinds = map[jsontext.Kind]kind{'n': kindNull, 't': kindBool, 'f': kindBool, '0': kindNumber}

func scanContainer(d *jsontext.Decoder, n *node, j *journal, end jsontext.Kind) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if n.marks {
		j.begin(n.field)
	}
	for d.PeekKind() != end {
		next := n.element
		if end == '}' {
			name, err := d.ReadToken()
			if err != nil {
				return err
			}
			next = n.member([]byte(name.String()))
			if len(name.String()) > maxValue {
				next = nil
			}
		}
		if err := scanSimply(d, next, j); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if n.marks {
		j.end(n.field)
	}
	return nil
}

func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":"text","c":{"x":[1,"}"]},"d":{"a":null,"b":""},"e":[{"a":true},{"a":-1.5e3}],"f":{"g":["\u00e9","\ud83d\ude00",1]}}`,
		`[{"a":"x"} , {"a":"\\\"\n\u0041"}]`, `{"\u0061":"y","\u00e9\n":2}`, `{"z":{"a":1},"a":"2"}`, `"text"`, `12`, `null`, `[]`, ` { } `,
		`{"c":[[],{},"\\"],"b":"a\\","a":"` + string(bytes.Repeat([]byte("x"), 300)) + `"}`, `{"e":[],"d":[],"f":1}`,
		`{"b":"é€😀\/\b\f\r\t and a longer text with a \"quote\" far behind the start"}`, `{"a":` + string(bytes.Repeat([]byte("1"), 300)) + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var want journal
		d := jsontext.NewDecoder(bytes.NewReader(document), jsontext.AllowDuplicateNames(true))
		valid := scanSimply(d, journalRoot, &want) == nil
		if valid {
			_, err := d.ReadToken()
			valid = err != nil && err.Error() == "EOF"
		}
		first, _ := scanAll(document, len(document)+1)
		for _, size := range []int{len(document) + 1, 1, 2, 5, 19} {
			got, s := scanAll(document, size)
			if !slices.Equal(got, first) {
				t.Fatalf("pieces of %d of %q: %q, whole: %q", size, document, got, first)
			}
			if !valid {
				continue
			}
			if !slices.Equal(got, want) {
				t.Fatalf("pieces of %d of %q: %q, want %q", size, document, got, want)
			}
			if !s.done() {
				t.Fatalf("%q is not done", document)
			}
		}
	})
}
