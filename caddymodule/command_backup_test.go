package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBackupIsAStoreOfItsOwn(t *testing.T) {
	term, _ := newTerminal(t)
	term.account("ada")
	term.must("deposit", "--account", "ada", "--amount", "5", "--ref", "r1")
	path := filepath.Join(t.TempDir(), "copy.db")
	var answer backupJSON
	if err := json.Unmarshal([]byte(term.must("backup", path, "--json")), &answer); err != nil {
		t.Fatal(err)
	}
	if !answer.OK || answer.File != path || answer.Accounts != 1 || answer.Transfers != 1 || answer.Balance.String() != "5.00" {
		t.Errorf("%+v", answer)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", err, info.Mode())
	}
	// What comes later is not in the copy, and the copy serves alone.
	term.must("deposit", "--account", "ada", "--amount", "1", "--ref", "r2")
	copied := *term
	copied.address = "sqlite:" + path
	if text := copied.must("balance", "ada"); !strings.Contains(text, "5.00 USD") {
		t.Error(text)
	}
	copied.must("deposit", "--account", "ada", "--amount", "1", "--ref", "r2")

	term.fails([]string{"exists"}, "backup", path)
	term.fails([]string{"no such"}, "backup", filepath.Join(path+"-not-there", "copy.db"))
	if _, err := os.Stat(path + "-not-there"); err == nil {
		t.Error("something was left behind")
	}
}
