package usage

import (
	"testing"
	"unicode/utf8"
)

func TestEstimateTokensIsNearTheTokenizersDocumentation(t *testing.T) {
	for text, want := range map[string][2]int64{
		"":                          {0, 0},
		"The quick brown fox jumps": {5, 8},
		"敏捷的棕色狐狸跳过懒狗":               {9, 13},
		"Быстрая коричневая лиса": {7, 15},
		"a":                           {1, 1},
		"one two three four five six": {6, 8},
	} {
		got := EstimateTokens(int64(len(text)), int64(utf8.RuneCountInString(text)))
		if got < want[0] || got > want[1] {
			t.Errorf("%q: %d tokens, want %d to %d", text, got, want[0], want[1])
		}
	}
}

func TestEstimateCountsInputAndOutputOnce(t *testing.T) {
	want := Usage{InputTotal: 10, Input: 10, OutputTotal: 5, Output: 5}
	if got := Estimate(10, 20, 20); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
