package usage

// Estimate is our own count, where a provider reports no usage: the input as
// estimated before the request, and the output text that was read, in bytes and
// runes of UTF-8.
func Estimate(inputTokens, outputBytes, outputRunes int64) Usage {
	output := EstimateTokens(outputBytes, outputRunes)
	return Usage{InputTotal: inputTokens, Input: inputTokens, OutputTotal: output, Output: output}
}

// EstimateTokens estimates the tokens of a text of so many bytes and runes of
// UTF-8: a quarter of a token for a rune, and three eighths for each of its bytes
// after the first. That is four letters a token for English and about one token a
// character for Chinese, Japanese and Korean, as the providers' documentation of
// their tokenizers has it.
func EstimateTokens(bytes, runes int64) int64 {
	return (2*runes + 3*max(bytes-runes, 0) + 7) / 8
}
