package usage

// maxValue bounds the encoded length of a captured value; a longer one is
// reported as empty. Every name, count and enumeration of interest is shorter.
const maxValue = 256

// maxDepth bounds the tracked part of a document, which no format's tree exceeds.
const maxDepth = 16

type scanState uint8

const (
	scanValue         scanState = iota // a value is due
	scanFirstElement                   // a value or the end of the array is due
	scanFirstKey                       // a key or the end of the object is due
	scanKey                            // a key is due
	scanColon                          // a colon is due
	scanAfter                          // a comma or the end of the container is due
	scanInKey                          // inside a key
	scanInString                       // inside a string
	scanInLiteral                      // inside a number, true, false or null
	scanInSkipped                      // inside an object or array that is skipped over
	scanInSkippedText                  // inside a string of such
	scanDone                           // the document is over
	scanFailed                         // the document is not JSON
)

type frame struct {
	node  *node
	array bool
}

// scanner reads one JSON document in pieces of any size. It hands the values at
// the places of a tree to a reader and skips over all others without looking
// into them, so its memory does not grow with the document. It checks as much
// grammar as it needs to keep its place, not more.
type scanner struct {
	reader   reader
	root     *node
	single   bool // what follows the document is not read
	valueEnd int  // of what is fed, after the last object or array of the outermost

	state   scanState
	depth   int // of stack
	stack   [maxDepth]frame
	current *node // place of the value that is due or being read; nil if of no interest

	skipDepth int         // open containers in a skipped value
	sizing    bool        // the skipped value's length is counted
	text      textCounter // of the string or sized value being read
	escaped   bool        // the last byte of the previous piece was a backslash
	escapes   bool        // the string being read has an escape

	scratch  [maxValue]byte // a value that spans pieces
	length   int            // of scratch
	overflow bool           // the value did not fit into scratch
	decoded  []byte         // a value without its escapes

	base int // offset of the current piece, for cuts
	cuts cutter

	sample *sample // that texts are put into; nil: none
}

// reset prepares for another document.
func (s *scanner) reset() {
	s.state, s.depth, s.current = scanValue, 0, s.root
	s.cuts.reset()
}

// done tells whether a whole document was read.
func (s *scanner) done() bool { return s.state == scanDone }

// failed tells whether what was read cannot be JSON.
func (s *scanner) failed() bool { return s.state == scanFailed }

// inText tells whether a string or a name goes on.
func (s *scanner) inText() bool {
	return s.state == scanInString || s.state == scanInKey || s.state == scanInSkippedText
}

// inArray tells whether the document is an array at its top.
func (s *scanner) inArray() bool { return s.depth > 0 && s.stack[0].array }

// feed reads the next piece. It consumes all of it, but for what follows a single
// document, or makes it fail.
func (s *scanner) feed(p []byte) (n int) {
	i := 0
	for i < len(p) {
		switch s.state {
		case scanInString:
			i = s.readString(p, i)
			continue
		case scanInKey:
			i = s.readKey(p, i)
			continue
		case scanInLiteral:
			i = s.readLiteral(p, i)
			continue
		case scanInSkipped, scanInSkippedText:
			i = s.readSkipped(p, i)
			continue
		case scanFailed:
			return i
		case scanDone:
			if s.single {
				return i
			}
		}
		c := p[i]
		if c == ' ' || c == '\n' || c == '\r' || c == '\t' {
			i++
			continue
		}
		switch s.state {
		case scanAfter:
			i = s.readAfter(c, i)
		case scanColon:
			if c != ':' {
				s.state = scanFailed
				return i
			}
			s.state = scanValue
			i++
		case scanFirstKey, scanKey:
			if c == '}' && s.state == scanFirstKey {
				s.closeContainer(i)
			} else if c == '"' {
				if s.depth == 1 {
					s.cuts.key(s.base + i)
				}
				s.startText()
				s.state = scanInKey
			} else {
				s.state = scanFailed
				return i
			}
			i++
		case scanFirstElement:
			if c == ']' {
				s.closeContainer(i)
				i++
				continue
			}
			i = s.startValue(p, i)
		case scanValue:
			i = s.startValue(p, i)
		default: // scanDone: only white space may follow
			s.state = scanFailed
			return i
		}
	}
	return i
}

func (s *scanner) readAfter(c byte, i int) int {
	top := &s.stack[s.depth-1]
	switch {
	case c == ',' && top.array:
		s.current = top.node.element
		s.state = scanValue
	case c == ',':
		if s.depth == 1 {
			s.cuts.comma(s.base + i)
		}
		s.state = scanKey
	case c == ']' && top.array, c == '}' && !top.array:
		s.closeContainer(i)
	default:
		s.state = scanFailed
	}
	return i + 1
}

func (s *scanner) startValue(p []byte, i int) int {
	n := s.current
	switch c := p[i]; {
	case c == '"':
		s.startText()
		s.text = textCounter{}
		s.state = scanInString
		return i + 1
	case c == '{' && n != nil && n.members != nil:
		s.open(frame{node: n})
		s.state = scanFirstKey
		return i + 1
	case c == '[' && n != nil && n.element != nil:
		s.open(frame{node: n, array: true})
		s.current = n.element
		s.state = scanFirstElement
		return i + 1
	case c == '{' || c == '[':
		s.startText()
		s.text = textCounter{}
		s.sizing = n != nil && n.take >= takeSize
		s.skipDepth = 0
		s.state = scanInSkipped
		return i
	case c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f' || c == 'n':
		s.startText()
		s.state = scanInLiteral
		return i
	}
	s.state = scanFailed
	return i
}

func (s *scanner) open(f frame) {
	s.stack[s.depth] = f
	s.depth++
	if f.node.marks {
		s.reader.begin(f.node.field)
	}
}

func (s *scanner) closeContainer(i int) {
	if s.depth == 1 {
		s.cuts.close(s.base + i)
	}
	s.depth--
	if n := s.stack[s.depth].node; n.marks {
		s.reader.end(n.field)
	}
	if s.depth == 1 {
		s.valueEnd = i + 1
	}
	s.afterValue()
}

func (s *scanner) afterValue() {
	if s.depth == 0 {
		s.state = scanDone
		return
	}
	s.state = scanAfter
}
