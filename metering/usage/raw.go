package usage

import "github.com/faregate/faregate/metering/tokens"

// rawTail is how much of the end of a raw answer is withheld. Such an answer has
// no end of its own, so that the last bytes so far always are.
const rawTail = 512

// feedRaw reads a piece of an answer that is neither JSON nor events.
func (m *Meter) feedRaw(p []byte) []byte {
	if m.options.Format == OpenAITranscription {
		var text tokens.Text
		text.Add(p)
		m.outcome.text(&text)
	} else {
		m.outcome.media(int64(len(p)))
	}
	pass := max(len(m.withheld)+len(p)-rawTail, 0)
	old := min(pass, len(m.withheld))
	m.out = add(m.out[:0], m.withheld[:old], p[:pass-old])
	m.withheld = add(m.withheld[:copy(m.withheld, m.withheld[old:])], p[pass-old:])
	return m.out
}
