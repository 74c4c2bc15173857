package caddymodule

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settingOf is the value of a setting of docs/faregate.service.
func settingOf(t *testing.T, unit, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1)
	if len(found) != 1 {
		t.Fatalf("%s is there %d times", name, len(found))
	}
	return found[0][1]
}

// The unit leaves running answers the time that the gateway gives them, and the memory
// that they are in where it is; the documents say the same times.
func TestTheServiceUnitFitsTheGateway(t *testing.T) {
	content, err := os.ReadFile("../docs/faregate.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := string(content)
	seconds, err := strconv.Atoi(settingOf(t, unit, "TimeoutStopSec"))
	if err != nil {
		t.Fatal(err)
	}
	needed := defaultGracePeriod + stopPatience + closePatience + noticePatience
	if stop := time.Duration(seconds) * time.Second; stop <= needed {
		t.Errorf("systemd kills after %s, a stop may take %s", stop, needed)
	}
	for name, want := range map[string]string{
		"LimitCORE": "0", "MemorySwapMax": "0", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "User": "faregate", "UMask": "0077",
		"CapabilityBoundingSet": "CAP_NET_BIND_SERVICE", "StateDirectory": "faregate", "RuntimeDirectory": "faregate",
		"ExecStart": "/usr/bin/caddy run --config /etc/faregate/Caddyfile",
	} {
		if got := settingOf(t, unit, name); got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	credential, _, _ := strings.Cut(settingOf(t, unit, "LoadCredential"), ":")
	document, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{
		"{file./run/credentials/faregate.service/" + credential + "}", "--stop-timeout " + strconv.Itoa(seconds), "/var/lib/faregate/", "unix//run/faregate/",
	} {
		if !strings.Contains(string(document), said) {
			t.Errorf("docs/operations.md does not say %s", said)
		}
	}
}
