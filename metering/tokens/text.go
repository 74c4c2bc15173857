package tokens

// Text says what a text is made of: its length, and how many characters it has of
// each class. It holds nothing of the text itself.
type Text struct {
	Bytes int64 // of UTF-8
	// Letters and Digits are ASCII's; Signs all else of ASCII that can be seen.
	Letters, Digits, Signs int64
	// Spaces are blanks; Breaks line ends, tabs and other controls.
	Spaces, Breaks int64
	// Alphabets are letters of two bytes: accents, Greek, Cyrillic, Hebrew, Arabic.
	Alphabets int64
	// Ideographs are Chinese, Japanese and Korean characters.
	Ideographs int64
	// Others are all other characters: scripts of India and Thailand, symbols, emoji.
	Others int64
	// Calls are those of tools, which have more around them than shows in the text.
	Calls int64
}

// The lanes of a word in which up to 255 characters are counted at once.
const (
	letters = 8 * iota
	digits
	signs
	spaces
	breaks
	alphabets
	ideographs
	others
)

// lanes has, for each first byte of a character, a one in its lane. What continues a
// character counts nothing.
var lanes = func() (table [256]uint64) {
	for c := range table {
		lane := signs
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			lane = letters
		case c >= '0' && c <= '9':
			lane = digits
		case c == ' ':
			lane = spaces
		case c < ' ' || c == 0x7F:
			lane = breaks
		case c < 0x80:
		case c < 0xC0:
			continue
		case c < 0xE0:
			lane = alphabets
		case c >= 0xE3 && c <= 0xED: // U+3000 to U+D7FF: kana, ideographs, Hangul
			lane = ideographs
		default:
			lane = others
		}
		table[c] = 1 << lane
	}
	return table
}()

// Add counts a further piece of the text, which may end anywhere.
func (t *Text) Add(piece []byte) {
	t.Bytes += int64(len(piece))
	for len(piece) > 0 {
		n := min(len(piece), 255)
		var word uint64
		for _, c := range piece[:n] {
			word += lanes[c]
		}
		t.add(word)
		piece = piece[n:]
	}
}

// AddString is Add for a string.
func (t *Text) AddString(piece string) {
	t.Bytes += int64(len(piece))
	for len(piece) > 0 {
		n := min(len(piece), 255)
		var word uint64
		for i := range n {
			word += lanes[piece[i]]
		}
		t.add(word)
		piece = piece[n:]
	}
}

// AddLead counts a character by its first byte, and bytes more of it or of others.
func (t *Text) AddLead(lead byte, bytes int64) {
	t.Bytes += bytes
	t.add(lanes[lead])
}

func (t *Text) add(word uint64) {
	t.Letters += int64(word >> letters & 255)
	t.Digits += int64(word >> digits & 255)
	t.Signs += int64(word >> signs & 255)
	t.Spaces += int64(word >> spaces & 255)
	t.Breaks += int64(word >> breaks & 255)
	t.Alphabets += int64(word >> alphabets & 255)
	t.Ideographs += int64(word >> ideographs & 255)
	t.Others += int64(word >> others & 255)
}

// Join counts another text's characters as well.
func (t *Text) Join(other *Text) {
	t.Bytes += other.Bytes
	t.Letters += other.Letters
	t.Digits += other.Digits
	t.Signs += other.Signs
	t.Spaces += other.Spaces
	t.Breaks += other.Breaks
	t.Alphabets += other.Alphabets
	t.Ideographs += other.Ideographs
	t.Others += other.Others
	t.Calls += other.Calls
}

// Less is t without what other has, where that is a part of it.
func (t Text) Less(other *Text) Text {
	return Text{
		Bytes: t.Bytes - other.Bytes, Letters: t.Letters - other.Letters, Digits: t.Digits - other.Digits, Signs: t.Signs - other.Signs,
		Spaces: t.Spaces - other.Spaces, Breaks: t.Breaks - other.Breaks, Alphabets: t.Alphabets - other.Alphabets,
		Ideographs: t.Ideographs - other.Ideographs, Others: t.Others - other.Others, Calls: t.Calls - other.Calls,
	}
}

// Runes is how many characters the text has.
func (t *Text) Runes() int64 {
	return t.Letters + t.Digits + t.Signs + t.Spaces + t.Breaks + t.Alphabets + t.Ideographs + t.Others
}
