package usage

import (
	"unicode/utf8"

	"github.com/faregate/faregate/metering/tokens"
)

// sample is the beginning of the text of the output, for the model's own tokenizer,
// should no usage be reported. It holds what JSON strings have between their quotes, as
// decoding is for the rare case that it is needed.
type sample struct {
	field field // strings at its places make the text
	text  []byte
	log   *recorder // to which what is added is written down, too

	// Of streams that say other things at the same places: what is not wanted is taken
	// out at the end of the event.
	chooses bool
	wanted  bool
	kept    int
}

// sampleOutput makes the Meter keep the beginning of the output.
func (m *Meter) sampleOutput() {
	switch m.options.Format {
	case OpenAIChat, OpenAICompletions:
		m.sample.field = chatText
	case OpenAIResponses:
		m.sample.field = responseText
		if m.options.Framing == SSE {
			m.sample.field, m.sample.chooses = responseDelta, true
		}
		m.format.(*responses).sample = &m.sample
	default:
		return
	}
	m.scanner.sample = &m.sample
}

func (s *sample) add(piece []byte) {
	if s.log != nil {
		s.log.addSample(piece)
	}
	n := min(len(piece), tokens.AnswerSample-len(s.text))
	if n <= 0 {
		return
	}
	if need := len(s.text) + n; need > cap(s.text) {
		larger := make([]byte, len(s.text), min(max(need, 2*cap(s.text), 256), tokens.AnswerSample))
		copy(larger, s.text)
		clear(s.text)
		s.text = larger
	}
	s.text = append(s.text, piece[:n]...)
}

// keep ends an event.
func (s *sample) keep() {
	if s.chooses && !s.wanted {
		clear(s.text[s.kept:])
		s.text = s.text[:s.kept]
	}
	s.wanted, s.kept = false, len(s.text)
}

// EstimateOutput counts the text of the output by our own means, as a model of the
// Estimator's.
func (m *Meter) EstimateOutput(estimator tokens.Estimator) int64 {
	text := m.Sample()
	defer clear(text)
	report := m.Report()
	return estimator.Answer(text, &report.Output)
}

// Sample is the beginning of the text of the output, if the model has a tokenizer. It is
// the caller's, to be overwritten.
func (m *Meter) Sample() []byte { return unescaped(m.sample.text) }

// unescaped decodes what is between the quotes of JSON strings, which may end anywhere.
func unescaped(encoded []byte) []byte {
	text := make([]byte, 0, len(encoded)) // decoding never makes it longer
	var high uint16
	for i := 0; i < len(encoded); {
		c := encoded[i]
		if c != '\\' {
			text = append(text, c)
			i++
			continue
		}
		if i+1 >= len(encoded) {
			break
		}
		c = encoded[i+1]
		i += 2
		switch c {
		case 'n':
			c = '\n'
		case 't':
			c = '\t'
		case 'r':
			c = '\r'
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'u':
			if i+4 > len(encoded) {
				return text
			}
			var unit uint16
			for _, digit := range encoded[i : i+4] {
				unit = unit<<4 | hexadecimal(digit)
			}
			i += 4
			switch {
			case unit >= 0xD800 && unit < 0xDC00:
				high = unit
			case unit >= 0xDC00 && unit < 0xE000 && high != 0:
				text = utf8.AppendRune(text, rune(high-0xD800)<<10|rune(unit-0xDC00)+0x10000)
				high = 0
			default:
				text = utf8.AppendRune(text, rune(unit))
			}
			continue
		}
		text = append(text, c)
	}
	return text
}
