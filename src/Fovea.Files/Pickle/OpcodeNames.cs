namespace Fovea.Files.Pickle;

/// <summary>Names of the pickle instructions that are refused, for the message.</summary>
internal static class OpcodeNames
{
    public static string Of(byte code) => code switch
    {
        (byte)'I' => "INT",
        (byte)'L' => "LONG",
        (byte)'F' => "FLOAT",
        (byte)'S' => "STRING",
        (byte)'T' => "BINSTRING",
        (byte)'U' => "SHORT_BINSTRING",
        (byte)'V' => "UNICODE",
        (byte)'B' => "BINBYTES",
        (byte)'C' => "SHORT_BINBYTES",
        (byte)'P' => "PERSID",
        (byte)'i' => "INST",
        (byte)'o' => "OBJ",
        (byte)'d' => "DICT",
        (byte)'l' => "LIST",
        (byte)'p' => "PUT",
        (byte)'g' => "GET",
        (byte)'1' => "POP_MARK",
        (byte)'2' => "DUP",
        0x81 => "NEWOBJ",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        0x8b => "LONG4",
        0x8d => "BINUNICODE8",
        0x8e => "BINBYTES8",
        0x8f => "EMPTY_SET",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x92 => "NEWOBJ_EX",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => "unknown",
    };
}
