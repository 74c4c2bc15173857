package usage

import (
	"bytes"
	"strings"
)

// Vertex writes enumerations as numbers when asked for $alt=json;enum-encoding=int.
// The numbers are those of google.cloud.aiplatform.v1 (Candidate.FinishReason,
// Modality, UsageMetadata.TrafficType).
var (
	geminiFinishReasons = []string{"FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER",
		"BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL"}
	geminiModalities = []string{"MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"}
	geminiTraffic    = []string{"TRAFFIC_TYPE_UNSPECIFIED", "ON_DEMAND", "PROVISIONED_THROUGHPUT"}
)

// enumeration returns the name of an enumeration's value. A number without a
// name stays a number.
func enumeration(names []string, k kind, text []byte) []byte {
	if k == kindNumber {
		if n := count(text); n < int64(len(names)) {
			return []byte(names[n])
		}
	}
	return text
}

type modality uint8

const (
	modalityText modality = iota // documents too: they are charged as text
	modalityImage
	modalityVideo
	modalityAudio
	modalities
)

func modalityOf(name []byte) modality {
	switch {
	case bytes.Equal(name, []byte("IMAGE")):
		return modalityImage
	case bytes.Equal(name, []byte("VIDEO")):
		return modalityVideo
	case bytes.Equal(name, []byte("AUDIO")):
		return modalityAudio
	}
	return modalityText
}

// oldGrounding tells whether a grounded response of a model counts as one search,
// however many queries it took. From Gemini 3 on each query counts.
func oldGrounding(model string) bool {
	return strings.HasPrefix(model, "gemini-2") || strings.HasPrefix(model, "gemini-1")
}

// geminiCounts are the numbers of a usageMetadata object, as reported.
type geminiCounts struct {
	prompt, candidates, thoughts, toolUse, cached int64
	total, characters                             int64 // of embeddings

	promptBy, cachedBy, outputBy [modalities]int64
}

func (c *geminiCounts) set(f field, n int64) {
	switch f {
	case geminiPrompt:
		c.prompt = n
	case geminiCandidates:
		c.candidates = n
	case geminiThoughts:
		c.thoughts = n
	case geminiToolUse:
		c.toolUse = n
	case geminiCached:
		c.cached = n
	case geminiTotal:
		c.total = n
	}
}

// usage makes disjoint classes. Cached tokens are inside the prompt's, those of
// tools are beside it, thoughts are beside the candidates'. The details may add up
// to less than the counts: the rest is text. Cached tokens of a modality beyond
// what the prompt had of it are those of documents, which the cache calls images.
func (c geminiCounts) usage() Usage {
	if c.prompt == 0 { // an embedding's total is all that there is
		c.prompt = c.total
	}
	u := Usage{InputTotal: c.prompt + c.toolUse, OutputTotal: c.candidates + c.thoughts}

	left := u.InputTotal
	cached := part(c.cached, &left)
	u.CacheReadAudio = part(c.cachedBy[modalityAudio], &cached)
	u.CacheReadImage = part(c.cachedBy[modalityImage], &cached)
	u.CacheReadVideo = part(c.cachedBy[modalityVideo], &cached)
	u.CacheRead = cached
	u.InputAudio = part(c.promptBy[modalityAudio]-u.CacheReadAudio, &left)
	u.InputImage = part(c.promptBy[modalityImage]-u.CacheReadImage, &left)
	u.InputVideo = part(c.promptBy[modalityVideo]-u.CacheReadVideo, &left)
	u.Input = left

	left = u.OutputTotal - c.thoughts
	u.OutputAudio = part(c.outputBy[modalityAudio], &left)
	u.OutputImage = part(c.outputBy[modalityImage], &left)
	u.Output = left + c.thoughts
	u.Reasoning = c.thoughts
	return u
}
