#include "textflag.h"

// func findSpecialsByVector(data *byte, blocks int, specials *uint64) (high uint32)
//
// Each turn compares 64 bytes, in Y0 and Y1, with three constants: what is not more than
// 0x1F is the lesser of the two, and equal to itself.
TEXT ·findSpecialsByVector(SB), NOSPLIT, $0-28
	MOVQ data+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ specials+16(FP), DI

	MOVL         $0x1F1F1F1F, AX // the last control character
	VMOVD        AX, X5
	VPBROADCASTD X5, Y5
	MOVL         $0x22222222, AX // quote
	VMOVD        AX, X6
	VPBROADCASTD X6, Y6
	MOVL         $0x5C5C5C5C, AX // backslash
	VMOVD        AX, X7
	VPBROADCASTD X7, Y7
	VPXOR        Y8, Y8, Y8      // all bytes, put together

block:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPOR    Y0, Y8, Y8
	VPOR    Y1, Y8, Y8

	VPMINUB  Y0, Y5, Y2
	VPMINUB  Y1, Y5, Y3
	VPCMPEQB Y0, Y2, Y2
	VPCMPEQB Y1, Y3, Y3
	VPCMPEQB Y0, Y6, Y4
	VPCMPEQB Y1, Y6, Y9
	VPOR     Y4, Y2, Y2
	VPOR     Y9, Y3, Y3
	VPCMPEQB Y0, Y7, Y4
	VPCMPEQB Y1, Y7, Y9
	VPOR     Y4, Y2, Y2
	VPOR     Y9, Y3, Y3

	VPMOVMSKB Y2, AX
	VPMOVMSKB Y3, BX
	SHLQ      $32, BX
	ORQ       BX, AX
	MOVQ      AX, (DI)

	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JNZ  block

	VPMOVMSKB Y8, AX
	MOVL      AX, high+24(FP)
	VZEROUPPER
	RET
