package main

import (
	"slices"
	"testing"

	"github.com/faregate/faregate/metering/price"
)

func TestFamiliesReason(t *testing.T) {
	for place, want := range map[[2]string]bool{
		{"openai", "gpt-5"}: true, {"openai", "gpt-5-mini"}: true, {"openai", "gpt-6.1-sol"}: true, {"openai", "gpt-chat-latest"}: true,
		{"openai", "o1"}: true, {"openai", "o3-mini"}: true, {"openai", "o4-mini-deep-research"}: true, {"openai", "codex-mini"}: true,
		{"openai", "gpt-5-chat"}: false, {"openai", "gpt-4o"}: false, {"openai", "gpt-4.1"}: false, {"openai", "chatgpt-4o-latest"}: false,
		{"google", "gemini-2.5-flash"}: true, {"google", "gemini-3.8-flash"}: true, {"google", "gemini-3-pro-image-preview"}: true,
		{"google", "gemini-2.0-flash"}: false, {"google", "gemini-2.5-flash-lite"}: false, {"google", "gemini-2.5-flash-image"}: false,
		{"google", "gemini-2.5-pro-tts"}: false, {"google", "gemini-3.1-flash-live-preview"}: false, {"google", "gemini-embedding-2"}: false,
		{"xai", "grok-4-0709"}: true, {"xai", "grok-4.20"}: true, {"xai", "grok-4-fast-reasoning"}: true, {"xai", "grok-code-fast-1"}: true,
		{"xai", "grok-4-fast-non-reasoning"}: false, {"xai", "grok-4.20-0309-non-reasoning"}: false, {"xai", "grok-3-mini"}: false,
		{"anthropic", "claude-opus-5"}: true, {"anthropic", "claude-fable-5-1"}: true, {"anthropic", "claude-sonnet-5-5"}: true,
		{"anthropic", "claude-opus-4-8"}: false, {"anthropic", "claude-haiku-4-5"}: false, {"anthropic", "claude-3-5-sonnet"}: false,
		{"deepseek", "deepseek-v4-pro"}: false, {"groq", "openai/gpt-oss-120b"}: false,
	} {
		if got := reasons(place[0], place[1]); got != want {
			t.Errorf("%s of %s reasons: %v, want %v", place[1], place[0], got, want)
		}
	}
}

func TestNamesSetApartKeepThePrice(t *testing.T) {
	periods := []price.PeriodFile{{Source: "s"}}
	rest, others := setApart("openai/gpt-5", price.ModelFile{Aliases: []string{"gpt-5-chat", "gpt-5-chat-latest", "gpt-5-codex"}, Periods: periods})
	if !slices.Equal(rest.Aliases, []string{"gpt-5-codex"}) || len(others) != 1 {
		t.Errorf("left %v, apart %v", rest.Aliases, others)
	}
	chat := others["gpt-5-chat"]
	if !slices.Equal(chat.Aliases, []string{"gpt-5-chat-latest"}) || len(chat.Periods) != 1 || chat.Periods[0].Source != "s" {
		t.Errorf("apart: %+v", chat)
	}
	chat.Periods[0].Source = "changed"
	if rest.Periods[0].Source != "s" {
		t.Error("the entries share their periods")
	}
}
