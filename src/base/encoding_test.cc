#include "fleetward/base/encoding.h"

#include <gtest/gtest.h>

namespace fleetward {
namespace {

TEST(Hex, RoundTripsAndRefuses) {
  EXPECT_EQ(HexEncode(std::string_view("\x00\xff", 2)), "00ff");
  EXPECT_EQ(HexDecode("00FF"), std::string("\x00\xff", 2));
  EXPECT_FALSE(HexDecode("0"));
  EXPECT_FALSE(HexDecode("0g"));
}

TEST(Base64, PublishedVectors) {  // RFC 4648 §10
  EXPECT_EQ(Base64Encode("foob"), "Zm9vYg==");
  EXPECT_EQ(Base64Encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64Decode("Zm9vYmE="), "fooba");
  EXPECT_EQ(Base64Decode(""), "");
  EXPECT_FALSE(Base64Decode("Zm9"));
  EXPECT_FALSE(Base64Decode("Z=9v"));
  EXPECT_FALSE(Base64Decode("===="));
}

TEST(Percent, EncodesAndDecodes) {
  EXPECT_EQ(PercentEncode("a b/~\xc3\xa9"), "a%20b%2F~%C3%A9");
  EXPECT_EQ(PercentEncode("a/b", "/"), "a/b");
  EXPECT_EQ(PercentDecode("a%20b+c", true), "a b c");
  EXPECT_EQ(PercentDecode("a+b"), "a+b");
  EXPECT_FALSE(PercentDecode("%2"));
  EXPECT_FALSE(PercentDecode("%zz"));
}

TEST(Utf8, RefusesOverlongSurrogatesAndTruncated) {
  EXPECT_TRUE(IsUtf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  EXPECT_FALSE(IsUtf8("\xc0\x80"));
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80"));
  EXPECT_FALSE(IsUtf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(IsUtf8("\xe2\x82"));
}

TEST(Bytes, WriterAndReaderAgree) {
  std::string out;
  ByteWriter w(out);
  w.U8(7);
  w.U32(0xdeadbeef);
  w.Varint(~0ULL);
  w.SignedVarint(-3);
  w.F64(-0.5);
  w.Bytes("hello");
  ByteReader r(out);
  EXPECT_EQ(r.U8(), 7);
  EXPECT_EQ(r.U32(), 0xdeadbeef);
  EXPECT_EQ(r.Varint(), ~0ULL);
  EXPECT_EQ(r.SignedVarint(), -3);
  EXPECT_EQ(r.F64(), -0.5);
  EXPECT_EQ(r.Bytes(), "hello");
  EXPECT_TRUE(r.ok());
  EXPECT_TRUE(r.AtEnd());
  EXPECT_EQ(r.U8(), 0);
  EXPECT_FALSE(r.ok());
}

TEST(Bytes, LengthsPastTheEndAndEndlessVarintsFail) {
  ByteReader long_bytes(std::string_view("\xff\xff\xff\xff\x0f", 5));
  EXPECT_TRUE(long_bytes.Bytes().empty());
  EXPECT_FALSE(long_bytes.ok());
  ByteReader endless("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
  endless.Varint();
  EXPECT_FALSE(endless.ok());
}

}  // namespace
}  // namespace fleetward
