using Fovea.Files.Safetensors;
using Fovea.Native;

namespace Fovea.Tests.Unit.Files;

public sealed class SafetensorsHeaders : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_valid_header_gives_names_types_shapes_places_and_metadata()
    {
        const string header = """
            {"__metadata__":{"format":"pt"},
            "b":{"dtype":"BF16","shape":[2,2],"data_offsets":[4,12]},
            "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
            "none":{"shape":[0,7],"data_offsets":[12,12],"dtype":"F64","other":[{}]}}
            """ + "   ";
        using var file = SafetensorsFile.Open(folder.Write("m.safetensors", Samples.Safetensors(header, 12)));
        Assert.Equal(["b", "a", "none"], file.Entries.Select(e => e.Name));
        Assert.Equal(["BF16[2, 2]", "F32[]", "F64[0, 7]"], file.Entries.Select(e => e.Describe()));
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal([0, 1, 2, 3], file.Entries[1].Span.ToArray());
        Assert.Equal([4, 5, 6, 7, 8, 9, 10, 11], file.Entries[0].Span.ToArray());
        Assert.Equal(0, file.Entries[2].Bytes);
    }

    [Theory]
    [InlineData("U8", DType.U8)]
    [InlineData("I8", DType.I8)]
    [InlineData("I16", DType.I16)]
    [InlineData("I32", DType.I32)]
    [InlineData("I64", DType.I64)]
    [InlineData("F16", DType.F16)]
    [InlineData("BF16", DType.BF16)]
    [InlineData("F32", DType.F32)]
    [InlineData("F64", DType.F64)]
    [InlineData("BOOL", DType.Bool)]
    [InlineData("F8_E4M3", DType.F8E4M3)]
    [InlineData("F8_E5M2", DType.F8E5M2)]
    internal void Every_element_type_is_read_under_its_name(string name, DType expected)
    {
        var header = "{\"a\":{\"dtype\":\"" + name + "\",\"shape\":[3],\"data_offsets\":[0," + (3 * expected.Size()) + "]}}";
        using var file = SafetensorsFile.Open(folder.Write("m.safetensors", Samples.Safetensors(header, 3 * expected.Size())));
        Assert.Equal(expected, file.Entries[0].DType);
        Assert.Equal(name, expected.SafetensorsName());
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "'a'", "twice")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "'a'", "'dtype' appears twice")]
    [InlineData("""{"__metadata__":{"x":"1","x":"2"}}""", 0, "__metadata__", "'x' appears twice")]
    [InlineData("""{"__metadata__":{"x":1}}""", 0, "__metadata__", "not a string")]
    [InlineData("""{"__metadata__":["x"]}""", 0, "__metadata__", "object of strings")]
    [InlineData("""{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}""", 4, "'a'", "dtype 'F31' is unknown")]
    [InlineData("""{"a":{"dtype":"U16","shape":[2],"data_offsets":[0,4]}}""", 4, "'a'", "dtype U16 is known to the format but not supported")]
    [InlineData("""{"a":{"dtype":"U64","shape":[2],"data_offsets":[0,16]}}""", 16, "'a'", "dtype U64 is known to the format but not supported")]
    [InlineData("""{"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}}""", 4, "'a'", "'dtype' is not a string")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "'a'", "'shape' holds something")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}""", 4, "'a'", "'shape' holds something")]
    [InlineData("""{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}""", 4, "'a'", "'shape' is not a list")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "'a'", "overflows")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}""", 0, "'a'", "overflows")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "'a'", "F32 of shape [2] needs 8 bytes, its data_offsets [0, 4] hold 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "'a'", "truncated")]
    [InlineData("""{"a":{"dtype":"F32","shape":[0],"data_offsets":[4,0]}}""", 4, "'a'", "end before they begin")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", 4, "'a'", "3 numbers")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}""", 4, "'a'", "'data_offsets' holds something")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "'a'", "'data_offsets' is missing")]
    [InlineData("""{"a":{"shape":[1],"data_offsets":[0,4]}}""", 4, "'a'", "'dtype' is missing")]
    [InlineData("""{"a":{"dtype":"F32","data_offsets":[0,4]}}""", 4, "'a'", "'shape' is missing")]
    [InlineData("""{"a":7}""", 0, "'a'", "not an object")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "'b'", "overlap")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}}""", 12, "'b'", "hole of 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "'a'", "hole of 4 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, "m.safetensors", "1 bytes follow the last tensor")]
    [InlineData("""{}""", 1, "m.safetensors", "1 bytes follow the last tensor")]
    [InlineData("""[]""", 0, "m.safetensors", "does not begin with '{'")]
    [InlineData("""{"a":{"dtype":"F32",""", 0, "m.safetensors", "not valid JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}""", 4, "m.safetensors", "not valid JSON")]
    [InlineData("""{} {}""", 0, "m.safetensors", "not valid JSON")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "m.safetensors", "not valid JSON")]
    public void Malformed_header_is_refused_with_the_reason(string header, int dataBytes, string where, string reason)
    {
        var path = folder.Write("m.safetensors", Samples.Safetensors(header, dataBytes));
        var before = RawMemory.Live;
        var error = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        Assert.StartsWith(path, error.Message);
        Assert.Contains(where, error.Message);
        Assert.Contains(reason, error.Message);
        Assert.Equal(before, RawMemory.Live);
    }

    [Theory]
    [InlineData(100_000_001, "above the format's limit of 100000000")]
    [InlineData(long.MinValue, "above the format's limit")]
    [InlineData(-1, "above the format's limit")]
    [InlineData(3, "reaches beyond the file of 10 bytes")]
    [InlineData(0, "does not begin with '{'")]
    public void A_header_length_that_cannot_be_is_refused(long length, string reason) =>
        Refused(folder.Write("m.safetensors", Samples.Safetensors("{}", 0, length)), reason);

    [Fact]
    public void What_was_never_a_safetensors_file_is_refused_with_a_remedy()
    {
        Refused(folder.Write("empty.safetensors", []), "the file is empty");
        Refused(folder.Write("short.safetensors", new byte[7]), "has 7 bytes");
        Refused(folder.Write("utf.safetensors", [3, 0, 0, 0, 0, 0, 0, 0, (byte)'{', 0xFF, (byte)'}']), "not valid UTF-8");
        Refused(folder.Write("lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), "git lfs pull");
        Refused(folder.Write("page.safetensors", "<!DOCTYPE html><html></html>"), "web page");
        Refused(folder.Path, "is a directory");
        Refused(folder.File("absent.safetensors"), "no such file");
        Refused(folder.File("no/such/folder.safetensors"), "no such file");
    }

    [Fact]
    public void A_header_above_the_limit_is_refused_even_if_the_file_is_that_long()
    {
        var path = folder.File("big.safetensors");
        using (var file = File.Create(path))
        {
            file.Write([0x01, 0xE1, 0xF5, 0x05, 0, 0, 0, 0]);
            file.SetLength(100_000_100);
        }

        Refused(path, "header length 100000001 is above");
    }

    private static void Refused(string path, string reason)
    {
        var error = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        Assert.StartsWith(path, error.Message);
        Assert.Contains(reason, error.Message);
    }
}
