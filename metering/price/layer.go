package price

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// largestFile bounds what Load reads; the embedded book has a hundredth of it.
const largestFile = 16 << 20

// Over reads a price book and lays it over another: its entries win, and what it
// does not have is the other's. An entry that both have keeps what the new one
// does not state (aliases, limits, the note); its prices are the new one's alone. A name
// that the new book gives to an entry is no other entry's any more. A book that
// says it is complete replaces the other.
//
// The version tells which book it was: that of the file, a digest of its bytes,
// and the version of the book below, "2026-11-20@3f9a1c2e+2026-11-23".
//
// The error wraps ErrBook and names every mistake.
func Over(base *Book, data []byte) (*Book, error) {
	book, problems := parse(data, base)
	if err := problems.err(ErrBook); err != nil {
		return nil, err
	}
	return book, nil
}

// CheckOver is the mistakes of a price book that is to be laid over another; none
// if Over takes it.
func CheckOver(base *Book, data []byte) []Problem {
	_, problems := parse(data, base)
	return problems
}

// Load reads a price file and lays it over a book.
func Load(base *Book, path string) (*Book, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	book, err := Over(base, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return book, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("price file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, largestFile+1))
	if err != nil {
		return nil, fmt.Errorf("price file: %w", err)
	}
	if len(data) > largestFile {
		return nil, fmt.Errorf("price file %s: it is larger than %d bytes: %w", path, largestFile, ErrBook)
	}
	return data, nil
}

// Export writes the book in the format that Parse, Over and Load read.
func (b *Book) Export() ([]byte, error) {
	data, err := json.Marshal(b.file, json.Deterministic(true), jsontext.WithIndent(" "))
	return append(data, '\n'), err
}

func layeredVersion(base *Book, file *BookFile, data []byte) string {
	digest := sha256.Sum256(data)
	version := file.Version + "@" + hex.EncodeToString(digest[:4])
	if file.Complete {
		return version
	}
	return version + "+" + base.version
}

// layered is the file laid over the base, as one file.
func layered(base, file *BookFile) BookFile {
	merged := *file
	merged.Sources = maps.Clone(base.Sources)
	if merged.Sources == nil {
		merged.Sources = map[string]string{}
	}
	maps.Copy(merged.Sources, file.Sources)
	merged.Providers = maps.Clone(base.Providers)
	for name, provider := range file.Providers {
		if below, known := base.Providers[name]; known {
			provider = layeredProvider(below, provider)
		}
		merged.Providers[name] = provider
	}
	return merged
}

func layeredProvider(base, file ProviderFile) ProviderFile {
	merged := file
	if merged.Prefixes == nil {
		merged.Prefixes = base.Prefixes
	}
	if merged.VersionSuffixes == nil {
		merged.VersionSuffixes = base.VersionSuffixes
	}
	// claimed are the names that the file gives to entries of its own.
	claimed := map[string]bool{}
	for name, model := range file.Models {
		claimed[name] = true
		for _, alias := range model.Aliases {
			claimed[alias] = true
		}
	}
	// A claimed name that is no entry of the file is an alias there.
	dropped := func(name string) bool {
		_, replaced := file.Models[name]
		return claimed[name] && !replaced
	}
	merged.Models = map[string]ModelFile{}
	for name, model := range base.Models {
		if dropped(name) {
			continue
		}
		model.Aliases = slices.DeleteFunc(slices.Clone(model.Aliases), func(alias string) bool { return claimed[alias] })
		model.ServedAs = slices.DeleteFunc(slices.Clone(model.ServedAs), dropped)
		merged.Models[name] = model
	}
	for name, model := range file.Models {
		merged.Models[name] = layeredModel(merged.Models[name], model)
	}
	return merged
}

// layeredModel keeps of the entry below what the new one does not state.
func layeredModel(base, file ModelFile) ModelFile {
	merged := file
	for _, alias := range base.Aliases {
		if !slices.Contains(merged.Aliases, alias) {
			merged.Aliases = append(slices.Clip(merged.Aliases), alias)
		}
	}
	if merged.ServedAs == nil {
		merged.ServedAs = base.ServedAs
	}
	merged.ContextLength = cmp.Or(file.ContextLength, base.ContextLength)
	merged.InputLimit = cmp.Or(file.InputLimit, base.InputLimit)
	merged.OutputLimit = cmp.Or(file.OutputLimit, base.OutputLimit)
	if merged.InputModalities == nil {
		merged.InputModalities = base.InputModalities
	}
	merged.Reasoning = file.Reasoning || base.Reasoning
	merged.Note = cmp.Or(file.Note, base.Note)
	return merged
}
