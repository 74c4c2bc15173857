package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestNormalizeEmail(t *testing.T) {
	for text, want := range map[string]string{
		"alice@example.com": "alice@example.com", " Alice.B+tag@Example.COM\n": "alice.b+tag@example.com",
		"o'neil@xn--bcher-kva.example": "o'neil@xn--bcher-kva.example",
	} {
		if got, err := NormalizeEmail(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "alice", "@example.com", "alice@", "alice@localhost", "a@b@example.com", "Alice <alice@example.com>", "<alice@example.com>",
		"alice@example.com, bob@example.com", `"a b"@example.com`, "alice@[127.0.0.1]", "alice@exa mple.com", "ali\nce@example.com",
		"älice@example.com", "alice@bücher.example", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b.", 130) + "com", ".a@example.com",
		"alice@example..com", "alice(comment)@example.com",
	} {
		if got, err := NormalizeEmail(text); !errors.Is(err, ErrEmail) || got != "" {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func TestNormalizeUsername(t *testing.T) {
	for text, want := range map[string]string{"alice": "alice", " Alice_B.c-1 ": "alice_b.c-1", "0x": "0x", strings.Repeat("a", 32): strings.Repeat("a", 32)} {
		if got, err := NormalizeUsername(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "-ab", "a b", "a@b", "älice", strings.Repeat("a", 33), "0199e0a0-7c1c-7000-8000-000000000000", "a\nb", "K\u212A"} {
		if got, err := NormalizeUsername(text); !errors.Is(err, ErrUsername) {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func TestNormalizeKeyName(t *testing.T) {
	for text, want := range map[string]string{"laptop": "laptop", "  CI, süß ✓ ": "CI, süß ✓", strings.Repeat("ä", 64): strings.Repeat("ä", 64)} {
		if got, err := NormalizeKeyName(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	secret := newSecret(t)
	for _, text := range []string{"", "  ", "a\nb", "a\x1b[31mb", "a\u202eb", "a\u200bb", "a\xffb", strings.Repeat("a", 65), "my " + secret[:50]} {
		_, err := NormalizeKeyName(text)
		if !errors.Is(err, ErrKeyName) || strings.Contains(err.Error(), secret[6:20]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestValidateGroup(t *testing.T) {
	for _, text := range []string{"", "pro", "team_1-b"} {
		if err := ValidateGroup(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"Pro", "-a", "a b", strings.Repeat("a", 33)} {
		if err := ValidateGroup(text); !errors.Is(err, ErrGroup) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAllowsModel(t *testing.T) {
	for _, row := range []struct {
		patterns string
		model    string
		want     bool
	}{
		{"", "anything", true}, {"gpt-5", "gpt-5", true}, {"gpt-5", "gpt-5-mini", false}, {"gpt-5*", "gpt-5-mini", true}, {"gpt-5*", "gpt-5", true},
		{"gpt-5*", "gpt-4", false}, {"gpt-5*", "GPT-5", false}, {"*", "x", true}, {"a,claude-*", "claude-opus-4-6", true}, {"a,claude-*", "b", false},
		{"a*", "", false}, {"xai/*", "xai/grok-4", true}, {"xai/*", "grok-4", false},
	} {
		p := Principal{}
		if row.patterns != "" {
			p.Models = strings.Split(row.patterns, ",")
		}
		if got := p.AllowsModel(row.model); got != row.want {
			t.Errorf("%q allows %q: %v", row.patterns, row.model, got)
		}
	}
	for _, pattern := range []string{"gpt-5", "gpt-5*", "*", "xai/grok-4", "org/model:free@1"} {
		if err := ValidateModelPattern(pattern); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
	}
	for _, pattern := range []string{"", "gpt*5", "**", "/a", "a//b", "a..b", "a b", "ä", strings.Repeat("a", 129), "a\n"} {
		if err := ValidateModelPattern(pattern); !errors.Is(err, ErrModelPattern) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}
