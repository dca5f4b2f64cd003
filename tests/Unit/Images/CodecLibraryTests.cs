using Fovea.Data.Images.Native;

namespace Fovea.Tests.Unit.Images;

public sealed class CodecLibraryTests
{
    [Fact]
    public void Every_codec_is_found_and_says_where()
    {
        var libraries = CodecLibraries.Probe();

        Assert.Equal(["JPEG", "WebP", "WebP"], libraries.Select(library => library.Purpose));
        Assert.All(libraries, library => Assert.NotNull(library.FoundAt));
    }

    [Fact]
    public void A_missing_library_is_named_with_the_remedy()
    {
        var error = Assert.Throws<ConfigException>(() => CodecLibraries.Require("libabsent.so.9"));

        Assert.Contains("libabsent.so.9", error.Message, StringComparison.Ordinal);
        Assert.Contains("./fovea doctor", error.Message, StringComparison.Ordinal);
    }
}
