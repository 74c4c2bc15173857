package usage

// chatCounts are the numbers of a chat completion's usage object, as reported.
type chatCounts struct {
	prompt, completion, total                     int64
	cached, hit, missed, written                  int64
	promptAudio, promptImage, promptVideo         int64
	reasoning, outputAudio, outputImage, searches int64
}

func (c *chatCounts) set(f field, n int64) {
	switch f {
	case chatPrompt:
		c.prompt = n
	case chatCompletion:
		c.completion = n
	case chatTotal:
		c.total = n
	case chatCached:
		c.cached = max(c.cached, n)
	case chatCachedHit:
		c.hit = n
	case chatMissed:
		c.missed = n
	case chatWritten:
		c.written = max(c.written, n)
	case chatPromptAudio:
		c.promptAudio = n
	case chatPromptImage:
		c.promptImage = n
	case chatPromptVideo:
		c.promptVideo = n
	case chatReasoningTokens:
		c.reasoning = n
	case chatOutputAudio:
		c.outputAudio = n
	case chatOutputImage:
		c.outputImage = n
	case chatSearches:
		c.searches = max(c.searches, n)
	}
}

// usage makes disjoint classes of the counts.
func (c chatCounts) usage(profile Profile) Usage {
	prompt, completion := c.prompt, c.completion
	reasoning := c.reasoning
	switch profile {
	case ProfileReasoningApart:
		completion += reasoning
	case ProfileThoughtsHidden:
		if all := c.total - prompt; all > completion {
			reasoning = max(reasoning, all-completion)
			completion = all
		}
	case ProfileAudioApart:
		prompt += c.promptAudio
	}
	if prompt == 0 { // a reporter of the two parts alone
		prompt = c.hit + c.missed
	}
	u := Usage{InputTotal: prompt, OutputTotal: completion}

	left := prompt
	// Behind OpenRouter, Gemini reports the same tokens as both read and
	// written. They count once, as written, which is the dearer.
	read := max(c.cached, c.hit)
	if over := read + c.written - prompt; over > 0 {
		read -= min(c.written, read)
	}
	u.CacheWrite = part(c.written, &left)
	// Grok on Azure reports more cached tokens than there are: at most all are.
	u.CacheRead = part(read, &left)
	// Cached tokens are not told apart by modality. Where both overlap, what is
	// left is of that modality.
	u.InputAudio = part(c.promptAudio, &left)
	u.InputImage = part(c.promptImage, &left)
	u.InputVideo = part(c.promptVideo, &left)
	u.Input = left

	left = completion
	u.OutputAudio = part(c.outputAudio, &left)
	u.OutputImage = part(c.outputImage, &left)
	u.Output = left
	u.Reasoning = min(reasoning, u.Output)
	u.Units.WebSearch = c.searches
	return u
}
