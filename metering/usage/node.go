package usage

import "github.com/faregate/faregate/metering/tokens"

// field names a value of a wire format that its reader wants to hear of.
type field uint8

// take says what the scanner does with a value.
type take uint8

const (
	takeNothing  take = iota // skipped over
	takeValue                // a short string, number or literal is handed to the reader
	takeLength               // the text of a string is counted, never kept
	takeSize                 // as takeLength; all else but null by its encoded length
	takePresence             // as takeSize, and only if there is something in it
)

// node is one place in the shape of a wire format. The nodes of a format form a
// static tree; a value at a place that the tree lacks is skipped over.
type node struct {
	field   field
	take    take
	marks   bool // the reader hears where an object or array begins and ends
	members []member
	other   *node // of members that are not among them; nil: skipped over
	element *node
}

type member struct {
	name string
	node *node
}

func value(f field) *node    { return &node{field: f, take: takeValue} }
func length(f field) *node   { return &node{field: f, take: takeLength} }
func size(f field) *node     { return &node{field: f, take: takeSize} }
func presence(f field) *node { return &node{field: f, take: takePresence} }

// output is an object of a response's output. Providers add to it ahead of their
// documentation: whatever is in it and neither among its members nor ignored, or
// has another form than known, is noted as present under the field other.
func output(other field, ignored []string, members ...member) *node {
	n := presence(other)
	n.members, n.other = members, presence(other)
	for _, name := range ignored {
		n.members = append(n.members, member{name, &node{}})
	}
	return n
}

// list is an array in a response's output.
func list(other field, element *node) *node {
	n := presence(other)
	n.element = element
	return n
}

func (n *node) member(name []byte) *node {
	for i := range n.members {
		if n.members[i].name == string(name) {
			return n.members[i].node
		}
	}
	return n.other
}

// kind is the type of a value handed to a reader.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
)

// reader hears what the scanner finds. The text of a value is only valid during
// the call; a string's is decoded.
type reader interface {
	begin(field)
	end(field)
	value(field, kind, []byte)
	length(f field, text *tokens.Text)
}
