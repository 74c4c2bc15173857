package main

import (
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	var screen strings.Builder
	o, err := parseOptions([]string{"--once", "--port", "8090", "--dir", "d"}, &screen)
	if want := (options{dir: "d", port: 8090, once: true}); err != nil || o != want || screen.String() != "" {
		t.Errorf("%+v, %v, %q; want %+v", o, err, screen.String(), want)
	}
	for want, arguments := range map[string][]string{
		`the argument "now" is too much`:           {"now", "--once"},
		"flag provided but not defined: -nonsense": {"--nonsense"},
	} {
		screen.Reset()
		if _, err := parseOptions(arguments, &screen); err == nil || !strings.Contains(screen.String(), want+"\nusage: ./xcaddy.sh run ") {
			t.Errorf("%q: %v, %q", arguments, err, screen.String())
		}
	}
	if _, err := parseOptions([]string{"--help"}, &screen); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
}
