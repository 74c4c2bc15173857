package usage

import "github.com/faregate/faregate/metering/tokens"

// The places of interest in Anthropic's messages and their events.
const (
	messageType field = iota + 1
	messageModel
	messageStop
	messageText
	messageCall
	messageReasoning
	messageOther
	messageUsage
	messageInput
	messageOutput
	messageRead
	messageWritten
	messageWritten5m
	messageWritten1h
	messageThinking
	messageSearches
	messageFetches
	messageTier
	messageGeo
	messageSpeed
	messagePasses
	messagePass
	messagePassType
	messagePassModel
	messageError
	messageErrorWord
)

var messageRoot = func() *node {
	text := length(messageText)
	counts := []member{
		{"input_tokens", value(messageInput)},
		{"output_tokens", value(messageOutput)},
		{"cache_read_input_tokens", value(messageRead)},
		{"cache_creation_input_tokens", value(messageWritten)},
		{"cache_creation", &node{members: []member{
			{"ephemeral_5m_input_tokens", value(messageWritten5m)},
			{"ephemeral_1h_input_tokens", value(messageWritten1h)},
		}}},
		{"output_tokens_details", &node{members: []member{{"thinking_tokens", value(messageThinking)}}}},
	}
	pass := append([]member{
		{"type", value(messagePassType)},
		{"model", value(messagePassModel)},
	}, counts...)
	usage := &node{field: messageUsage, marks: true, members: append([]member{
		{"server_tool_use", &node{members: []member{
			{"web_search_requests", value(messageSearches)},
			{"web_fetch_requests", value(messageFetches)},
		}}},
		{"service_tier", value(messageTier)},
		{"inference_geo", value(messageGeo)},
		{"speed", value(messageSpeed)},
		{"iterations", &node{field: messagePasses, marks: true,
			element: &node{field: messagePass, marks: true, members: pass}}},
	}, counts...)}
	// A block, or a delta of one. The name of a tool and its input are output. The
	// content of a server tool's result is none of the model's and a compaction's
	// is counted apart: both are present, as redacted thinking is.
	block := output(messageOther,
		[]string{"type", "id", "tool_use_id", "caller", "signature", "citations", "citation", "stop_sequence", "stop_details", "container", "from", "to"},
		member{"text", text},
		member{"thinking", length(messageReasoning)},
		member{"partial_json", text},
		member{"name", length(messageCall)},
		member{"input", size(messageText)},
		member{"stop_reason", value(messageStop)},
	)
	message := []member{
		{"model", value(messageModel)},
		{"stop_reason", value(messageStop)},
		{"usage", usage},
		{"content", &node{element: block}},
	}
	return &node{members: append([]member{
		{"type", value(messageType)},
		{"delta", block},
		{"content_block", block},
		{"message", &node{members: message}},
		{"error", messageErrorNode},
	}, message...)}
}()

var messageErrorNode = &node{field: messageError, marks: true, members: []member{{"type", value(messageErrorWord)}}}

// messages reads Anthropic's messages.
type messages struct {
	outcome
	counts   messageCounts // the response's, merged over its events
	pass     messagePassRecord
	inPass   bool
	passes   []messagePassRecord
	fallback string // the model that took over
}

func (m *messages) begin(f field) {
	switch f {
	case messagePasses:
		m.passes = m.passes[:0]
	case messagePass:
		m.pass, m.inPass = messagePassRecord{}, true
	}
}

func (m *messages) end(f field) {
	switch f {
	case messagePass:
		m.inPass = false
		m.keepPass()
	case messageError:
		m.fail()
	}
}

// maxPasses bounds what is kept of a response's passes.
const maxPasses = 256

// keepPass keeps what the response's own counts leave out. The passes of type
// message add up to them. After a fallback they are the fallback's alone.
func (m *messages) keepPass() {
	switch m.pass.kind {
	case "compaction", "advisor_message":
		if len(m.passes) < maxPasses {
			m.passes = append(m.passes, m.pass)
		}
	case "fallback_message":
		m.fallback = m.pass.model
	}
}

func (m *messages) value(f field, k kind, text []byte) {
	if k == kindNull { // of the fields of several events the last that is not null holds
		return
	}
	switch f {
	case messageType:
		switch string(text) {
		case "message_stop":
			m.ended, m.final = true, true
		case "error":
			m.fail()
		}
	case messageModel:
		setName(&m.model, text)
	case messageStop:
		setName(&m.finishReason, text)
		m.final = true
	case messageTier:
		setName(&m.serviceTier, text)
	case messageGeo:
		setName(&m.geo, text)
	case messageSpeed:
		setName(&m.speed, text)
	case messagePassType:
		setName(&m.pass.kind, text)
	case messagePassModel:
		setName(&m.pass.model, text)
	case messageErrorWord:
		m.errorKind = m.errorKind.refine(text)
	default:
		if n := m.judged(k, text); m.inPass {
			m.pass.counts.set(f, n)
		} else {
			m.counts.set(f, n)
		}
	}
}

func (m *messages) length(f field, text *tokens.Text) {
	switch f {
	case messageCall:
		m.call(text)
	case messageReasoning:
		m.reasoning(text)
	case messageOther:
		m.present()
	default:
		m.text(text)
	}
}

func (m *messages) endDocument(bool) {}

func (m *messages) common() *outcome { return &m.outcome }

func (m *messages) fill(r *Report) {
	r.Usage = m.counts.usage()
	r.Doubt = max(r.Doubt, m.counts.doubt())
	r.Reported = m.counts != messageCounts{}
	// An error ends the stream, too, but the counts that an end has did not come.
	r.Provisional = r.Reported && (!m.final || m.failed && m.finishReason == "")
	if m.fallback != "" {
		r.Model = m.fallback
	}
	for _, pass := range m.passes {
		r.Passes = append(r.Passes, Pass{Model: pass.model, Usage: pass.counts.usage()})
	}
}
