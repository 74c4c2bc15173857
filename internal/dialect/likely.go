package dialect

// LikelyInput is roughly how many tokens the model has to read, for choosing among
// models of different context lengths: a quarter of the bytes, and images as they mostly
// are. It is 0 where bytes do not tell, as with files and recordings.
func (r *Request) LikelyInput() int64 {
	if r.unbounded > 0 || r.Reach.InputAudio && r.audio.present() || r.Operation.IsForm() {
		return 0
	}
	return int64(len(r.body)-r.imageSize)/4 + int64(r.images)*imageLikely
}
