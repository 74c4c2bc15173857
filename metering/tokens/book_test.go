package tokens_test

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/tokens"
)

// Every model of OpenAI's that the price book knows has a tokenizer.
func TestOpenAIsPricedModelsHaveATokenizer(t *testing.T) {
	count := 0
	for model := range price.Embedded().Models("openai") {
		name := model.Name
		if strings.HasPrefix(name, "tts-") || strings.HasPrefix(name, "whisper") || strings.HasPrefix(name, "dall-e") ||
			strings.HasPrefix(name, "omni-moderation") || strings.HasPrefix(name, "sora") {
			continue
		}
		count++
		if !tokens.For(name).HasTokenizer() {
			t.Errorf("%s has none", name)
		}
	}
	if count < 20 {
		t.Errorf("only %d models", count)
	}
}
