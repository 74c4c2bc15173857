package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const repository = "../.."

// binary is the path of a caddy that is made of the present sources.
var binary = sync.OnceValues(func() (string, error) {
	built := filepath.Join(repository, "caddy")
	changed, err := lastChange()
	if err != nil {
		return "", err
	}
	if found, err := os.Stat(built); err == nil && found.ModTime().After(changed) {
		return filepath.Abs(built)
	}
	// Kept, as go build writes only what has changed.
	built, err = filepath.Abs(filepath.Join(repository, ".build", "e2e-caddy"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(built), 0o755); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if said, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", built, "./caddy").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building caddy: %w\n%s", err, said)
	}
	return built, nil
})

// lastChange is when the youngest file was changed that ./caddy is made of.
func lastChange() (time.Time, error) {
	var last time.Time
	for _, part := range []string{"faregate.go", "go.mod", "go.sum", "auth", "caddymodule", "metering", "internal"} {
		err := filepath.WalkDir(filepath.Join(repository, part), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // removed meanwhile
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || filepath.Dir(path) == filepath.Join(repository, "internal") && notInCaddy[entry.Name()]):
				return filepath.SkipDir
			case entry.IsDir() || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			found, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && found.ModTime().After(last) {
				last = found.ModTime()
			}
			return err
		})
		if err != nil {
			return last, fmt.Errorf("looking for changed sources: %w", err)
		}
	}
	return last, nil
}

// notInCaddy are the folders of internal/ that ./caddy has nothing of.
var notInCaddy = map[string]bool{"e2e": true, "bench": true, "demo": true, "tools": true}

// requireCaddy returns the caddy to test.
func requireCaddy(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// requireSDKs fails unless node is there, and the SDKs at their pinned versions.
func requireSDKs(t *testing.T) {
	t.Helper()
	const remedy = "run ./xcaddy.sh test, which installs what the tests need"
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatalf("node is missing (%v): %s", err, remedy)
	}
	var wanted struct{ Dependencies map[string]string }
	readJSON(t, "package.json", &wanted)
	for name, version := range wanted.Dependencies {
		path := filepath.Join("node_modules", name, "package.json")
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s is not installed (%v): %s", name, err, remedy)
		}
		var installed struct{ Version string }
		if readJSON(t, path, &installed); installed.Version != version {
			t.Fatalf("%s is installed as %s and pinned to %s: %s", name, installed.Version, version, remedy)
		}
	}
}

// goClientsBuild builds in the module of the clients in Go, without optimizations: of
// the SDKs' hundreds of thousands of generated lines little is run, and compiling them
// takes a third less so. xcaddy.sh builds with the same flags before the tests.
var goClientsBuild = []string{"build", "-C", goClientsModule, "-buildvcs=false",
	"-gcflags=github.com/openai/...=-N -l", "-gcflags=github.com/anthropics/...=-N -l"}

const goClientsModule = "goclients"

var goClients = sync.OnceValues(func() (string, error) {
	built, err := filepath.Abs(filepath.Join(repository, ".build", "goclients"))
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // a first build is of some 400 packages
	defer cancel()
	if said, err := exec.CommandContext(ctx, "go", append(slices.Clone(goClientsBuild), "-o", built, ".")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the clients in Go: %w\n%s", err, said)
	}
	return built, nil
})

// requireGoClients returns the program that calls through the SDKs for Go.
func requireGoClients(t *testing.T) string {
	t.Helper()
	path, err := goClients()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
