package usage

// Doubt says what is wrong with the numbers that a provider reported. They are read as
// far as they make sense, and the operator is to be told.
type Doubt uint8

// The doubts, from the least on; a report has the worst.
const (
	DoubtNone     Doubt = iota
	DoubtTotal          // the total is not what its parts add up to, in any way that providers count
	DoubtParts          // a part is more than the whole that it is in
	DoubtNoNumber       // a count is no number
	DoubtNegative       // a count is below zero
	DoubtAbsurd         // a count is more than any model reads or writes
)

// Doubts are the names of all of them.
var Doubts = [...]string{DoubtNone: "", DoubtTotal: "total", DoubtParts: "parts", DoubtNoNumber: "no_number", DoubtNegative: "negative", DoubtAbsurd: "absurd"}

// String is the doubt's name, empty for DoubtNone.
func (d Doubt) String() string { return Doubts[d] }

// absurdCount is a thousand times what the largest models read.
const absurdCount = 1 << 30

// judged reads a count of tokens or of calls, and judges it.
func (o *outcome) judged(k kind, text []byte) int64 {
	n := count(text)
	switch {
	case k != kindNumber:
		o.doubted(DoubtNoNumber)
	case len(text) > 0 && text[0] == '-':
		o.doubted(DoubtNegative)
	case n > absurdCount:
		o.doubted(DoubtAbsurd)
	}
	return n
}

// sensible tells whether a number of something else than tokens can be one, and judges it.
// One that cannot is not read: what is known otherwise takes its place.
func (o *outcome) sensible(n int64) bool {
	if n > absurdCount {
		o.doubted(DoubtAbsurd)
		return false
	}
	return true
}

func (o *outcome) doubted(d Doubt) { o.doubt = max(o.doubt, d) }

// doubt judges counts together.
func (c *openAICounts) doubt(u *Usage) Doubt {
	parts := max(c.cached, c.hit)
	prompt := u.InputTotal
	switch {
	case parts > prompt, c.written > prompt, c.promptImage > prompt, c.promptVideo > prompt, c.promptAudio > prompt,
		c.outputAudio > u.OutputTotal, c.outputImage > u.OutputTotal, c.reasoning > u.OutputTotal:
		return DoubtParts
	case c.total > 0 && c.total != u.InputTotal+u.OutputTotal && c.total != max(c.prompt, c.input)+max(c.completion, c.output):
		return DoubtTotal
	}
	return DoubtNone
}

// doubt judges counts together, and the total that goes with them.
func (c *geminiCounts) doubt(total int64) Doubt {
	switch {
	case c.cached > c.prompt:
		return DoubtParts
	case total > 0 && total != c.prompt+c.toolUse+c.candidates+c.thoughts:
		return DoubtTotal
	}
	return DoubtNone
}

// doubt judges counts together.
func (c *messageCounts) doubt() Doubt {
	if c.thinking > c.output {
		return DoubtParts
	}
	return DoubtNone
}
