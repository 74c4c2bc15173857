package usage

import "strings"

// openAICounts are the numbers of a usage object of OpenAI's formats, as reported.
// The formats and the compatible providers differ in names: prompt and completion,
// or input and output.
type openAICounts struct {
	prompt, completion, total                int64
	input, output                            int64
	cached, hit, missed, written             int64
	cachedAudio, cachedImage                 int64
	promptAudio, promptImage, promptVideo    int64
	reasoning                                int64
	outputText, outputAudio, outputImage     int64
	searches, xSearches, files, interpreters int64

	milliseconds, pages int64
	cost                int64 // in pico-dollars
	marketCost          bool  // the Vercel AI gateway names one
	told                bool  // how often tools were used
}

// openAIUsage is a usage object under the names of every compatible provider.
func openAIUsage(object field) *node {
	prompt := &node{members: []member{
		{"cached_tokens", value(countCached)},
		{"audio_tokens", value(countPromptAudio)},
		{"cache_write_tokens", value(countWritten)},
		{"image_tokens", value(countPromptImage)},
		{"video_tokens", value(countPromptVideo)},
		{"cached_tokens_details", &node{members: []member{
			{"audio_tokens", value(countCachedAudio)},
			{"image_tokens", value(countCachedImage)},
		}}},
	}}
	completion := &node{members: []member{
		{"reasoning_tokens", value(countReasoning)},
		{"audio_tokens", value(countOutputAudio)},
		{"image_tokens", value(countOutputImage)},
		{"text_tokens", value(countOutputText)},
	}}
	searches := &node{members: []member{{"web_search_requests", value(countSearches)}}}
	return &node{field: object, take: takeValue, marks: true, members: []member{
		{"prompt_tokens", value(countPrompt)},
		{"completion_tokens", value(countCompletion)},
		{"total_tokens", value(countTotal)},
		{"prompt_tokens_details", prompt},
		{"completion_tokens_details", completion},
		{"input_tokens", value(countInput)},
		{"output_tokens", value(countOutput)},
		{"input_tokens_details", prompt},
		{"output_tokens_details", completion},
		{"input_token_details", prompt}, // transcriptions
		{"output_token_details", completion},
		{"seconds", value(countSeconds)},
		{"prompt_audio_seconds", value(countSeconds)},        // Mistral
		{"pages_processed", value(countPages)},               // Mistral
		{"prompt_cache_hit_tokens", value(countCachedHit)},   // DeepSeek
		{"prompt_cache_miss_tokens", value(countMissed)},     // DeepSeek
		{"cached_tokens", value(countCached)},                // Together
		{"num_cached_tokens", value(countCached)},            // Mistral
		{"cache_creation_input_tokens", value(countWritten)}, // Vercel AI gateway
		{"market_cost", value(countMarketCost)},              // Vercel AI gateway
		{"service_tier", value(openAITier)},                  // Mistral
		{"server_tool_use_details", searches},                // OpenRouter
		{"server_tool_use", searches},                        // OpenRouter
		{"cost_in_usd_ticks", value(countTicks)},             // xAI
		{"server_side_tool_usage_details", &node{members: []member{ // xAI
			{"web_search_calls", value(countSearches)},
			{"x_search_calls", value(countXSearches)},
			{"file_search_calls", value(countFiles)},
			{"document_search_calls", value(countFiles)},
			{"code_interpreter_calls", value(countInterpreters)},
		}}},
		// OpenRouter and others have a number, Perplexity has an object.
		{"cost", &node{field: countCost, take: takeValue, members: []member{{"total_cost", value(countCost)}}}},
	}}
}

func (c *openAICounts) set(f field, text []byte) {
	n := count(text)
	switch f {
	case countPrompt:
		c.prompt = n
	case countCompletion:
		c.completion = n
	case countTotal:
		c.total = n
	case countInput:
		c.input = n
	case countOutput:
		c.output = n
	case countCached:
		c.cached = max(c.cached, n)
	case countCachedAudio:
		c.cachedAudio = n
	case countCachedImage:
		c.cachedImage = n
	case countCachedHit:
		c.hit = n
	case countMissed:
		c.missed = n
	case countWritten:
		c.written = max(c.written, n)
	case countPromptAudio:
		c.promptAudio = n
	case countPromptImage:
		c.promptImage = n
	case countPromptVideo:
		c.promptVideo = n
	case countReasoning:
		c.reasoning = n
	case countOutputText:
		c.outputText = n
	case countOutputAudio:
		c.outputAudio = n
	case countOutputImage:
		c.outputImage = n
	case countSearches:
		c.searches, c.told = max(c.searches, n), true
	case countXSearches:
		c.xSearches, c.told = n, true
	case countFiles:
		c.files, c.told = plus(c.files, n), true
	case countInterpreters:
		c.interpreters, c.told = n, true
	case countSeconds:
		c.milliseconds = decimal(text, 3)
	case countPages:
		c.pages = n
	case countCost:
		c.cost = decimal(text, 12)
	case countTicks:
		c.cost = decimal(text, 2) // 10¹⁰ ticks are a dollar
	case countMarketCost:
		c.marketCost = true
	}
}

// totals are the tokens in and out, reasoning and audio included.
func (c *openAICounts) totals(profile Profile, model string) (prompt, completion, reasoning int64) {
	prompt, completion, reasoning = c.prompt, c.completion, c.reasoning
	if prompt == 0 {
		prompt = c.input
	}
	if completion == 0 {
		completion = c.output
	}
	if prompt == 0 { // a reporter of the two parts alone
		prompt = c.hit + c.missed
	}
	if profile == ProfileStandard {
		profile = c.shape(prompt, completion, model)
	}
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
	case ProfileStandard: // a part that is missing is the rest of the total
		if prompt == 0 {
			prompt = max(c.total-completion, 0)
		}
		if completion == 0 {
			completion = max(c.total-prompt, 0)
		}
	}
	return prompt, completion, reasoning
}

// shape tells by the numbers themselves how they are to be read, as an account
// may be set up for any provider, or for another gateway before it: what the total
// has beyond its parts is what they leave out.
func (c *openAICounts) shape(prompt, completion int64, model string) Profile {
	beyond := c.total - prompt - completion
	switch {
	case c.marketCost:
		return ProfileReasoningApart
	case beyond <= 0:
	case beyond == c.reasoning:
		return ProfileReasoningApart
	case beyond == c.promptAudio:
		return ProfileAudioApart
	case strings.HasPrefix(model, "gemini-") && prompt > 0:
		return ProfileThoughtsHidden
	}
	return ProfileStandard
}

// usage makes disjoint classes of the counts.
func (c openAICounts) usage(profile Profile, model string) Usage {
	prompt, completion, reasoning := c.totals(profile, model)
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
	read = part(read, &left)
	u.CacheReadAudio = part(c.cachedAudio, &read)
	u.CacheReadImage = part(c.cachedImage, &read)
	u.CacheRead = read
	// Where cached tokens are not told apart by modality and both overlap, what
	// is left is of that modality.
	u.InputAudio = part(c.promptAudio-u.CacheReadAudio, &left)
	u.InputImage = part(c.promptImage-u.CacheReadImage, &left)
	u.InputVideo = part(c.promptVideo, &left)
	u.Input = left

	left = completion
	u.OutputAudio = part(c.outputAudio, &left)
	u.OutputImage = part(c.outputImage, &left)
	u.Output = left
	u.Reasoning = min(reasoning, u.Output)
	u.Units = Units{
		WebSearch: c.searches, XSearch: c.xSearches, FileSearch: c.files, CodeInterpreter: c.interpreters,
		Milliseconds: c.milliseconds, Pages: c.pages,
	}
	return u
}
