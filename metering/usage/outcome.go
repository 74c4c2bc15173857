package usage

import "github.com/faregate/faregate/metering/tokens"

// outcome is what the reader of every format keeps of a response.
type outcome struct {
	final     bool
	ended     bool // the format's last event was seen
	failed    bool
	content   bool
	fresh     bool // content was seen in this event
	finishing bool // a choice finished in this event
	errorKind ErrorKind
	output    tokens.Text
	encoded   int64 // bytes of media
	reasoned  bool  // text of reasoning was seen
	doubt     Doubt // of single counts

	model, finishReason, serviceTier, speed, geo string
}

// text counts a piece of output.
func (o *outcome) text(text *tokens.Text) {
	if text.Bytes > 0 {
		o.content, o.fresh = true, true
		o.output.Join(text)
	}
}

// call counts the name of a tool that is called.
func (o *outcome) call(name *tokens.Text) {
	o.text(name)
	if name.Bytes > 0 {
		o.output.Calls++
	}
}

// reasoning counts a piece of visible reasoning.
func (o *outcome) reasoning(text *tokens.Text) {
	o.text(text)
	o.reasoned = o.reasoned || text.Bytes > 0
}

// media counts a piece of output that is not text, as encoded.
func (o *outcome) media(bytes int64) {
	if bytes > 0 {
		o.content, o.fresh = true, true
	}
	o.encoded += bytes
}

// present notes output that cannot be counted: encrypted, or of a kind that is
// not known. It does not take back the end of a generation, as text does, since
// it may be a remark on it.
func (o *outcome) present() { o.content = true }

func (o *outcome) fail() {
	o.failed, o.final = true, true
	if o.errorKind == ErrorNone {
		o.errorKind = ErrorOther
	}
}

// choices knows which of the alternatives have finished.
type choices struct {
	wanted   int
	finished [4]uint64
	count    int
}

// finish notes that a choice has finished and tells whether all have. Indexes
// over 255 share a mark, which no provider's limit on choices reaches.
func (c *choices) finish(index int64) bool {
	index = min(index, 255)
	mark := uint64(1) << (index % 64)
	if c.finished[index/64]&mark == 0 {
		c.finished[index/64] |= mark
		c.count++
	}
	return c.count >= c.wanted
}

// setName keeps a name that is safe to keep. It allocates only when it changes.
func setName(to *string, name []byte) {
	if string(name) == *to {
		return
	}
	if len(name) > 64 {
		*to = ""
		return
	}
	for _, c := range name {
		if !nameByte[c] {
			*to = ""
			return
		}
	}
	*to = string(name)
}

var nameByte = func() (table [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@-") {
		table[c] = true
	}
	return table
}()

// part returns as much of n as there is left, and takes it away.
func part(n int64, left *int64) int64 {
	n = max(min(n, *left), 0)
	*left -= n
	return n
}
