package usage

// Plus adds what two passes consumed.
func (u Usage) Plus(v Usage) Usage {
	return Usage{
		InputTotal: u.InputTotal + v.InputTotal, OutputTotal: u.OutputTotal + v.OutputTotal,
		Input: u.Input + v.Input, CacheRead: u.CacheRead + v.CacheRead,
		CacheWrite: u.CacheWrite + v.CacheWrite, CacheWrite5m: u.CacheWrite5m + v.CacheWrite5m, CacheWrite1h: u.CacheWrite1h + v.CacheWrite1h,
		InputAudio: u.InputAudio + v.InputAudio, InputImage: u.InputImage + v.InputImage, InputVideo: u.InputVideo + v.InputVideo,
		CacheReadAudio: u.CacheReadAudio + v.CacheReadAudio, CacheReadImage: u.CacheReadImage + v.CacheReadImage,
		CacheReadVideo: u.CacheReadVideo + v.CacheReadVideo,
		Output:         u.Output + v.Output, Reasoning: u.Reasoning + v.Reasoning,
		OutputAudio: u.OutputAudio + v.OutputAudio, OutputImage: u.OutputImage + v.OutputImage, OutputVideo: u.OutputVideo + v.OutputVideo,
		Units: u.Units.Plus(v.Units),
	}
}
