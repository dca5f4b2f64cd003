namespace Fovea.Evaluation.Captions;

/// <summary>
/// The rules by which captions are parted into tokens, in the order that decides between equally long ones. Of a rule, the group <c>t</c> is the token, and
/// what follows it is looked at and counted in the length; without the group all of it is the token. Written from a description of what the tokenizer does
/// (Penn Treebank style, as Stanford's of 2014 has it) and from its answers.
/// </summary>
internal static class PtbRules
{
    private const string Letter = @"\p{L}\p{Mn}\p{Mc}\u00AD-[\uFE00-\uFE0F]";
    private const string L = $"[{Letter}]";
    private const string LD = @"[\p{Nd}\p{L}\p{Mn}\p{Mc}\u00AD-[\uFE00-\uFE0F]]";
    private const string NoLetter = $"(?:[^{Letter}]|\\z)";
    private const string D = @"\p{Nd}";
    private const string Ap = @"['\u2019]";
    private const string Word = $"{L}{LD}*(?:[.!?]{L}{LD}*)*";
    private const string Clitic = $"{Ap}(?:[mMsSdD]|[rR][eE]|[vV][eE]|[lL][lL])";
    private const string Joined = $"(?:[dDlLoO]{Ap}(?={L}{LD}))?{LD}+(?:_{LD}+)*";
    private const string Hyphen = @"[-\u2010\u2011]";
    private const string Compound = $@"(?:{D}+(?:[.,]{D}+)+{Hyphen}{Joined}|{Joined})(?:{Hyphen}{Joined})*";
    private const string Number = $"[-+]?(?:{D}+(?:[.,:]-?{D}+)*|(?:[.,:]{D}+)+)";
    private const string SlashPart = "[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}";
    private const string Acronym = @"[A-Za-z](?:\.[A-Za-z])*\.";
    private const string Host = @"[^ \n\t\u00A0""`'<>|.!?(){}\[\],#/\\:;@-]+";
    private const string Domain = "(?:com|net|org|edu)";
    private const string End = @"(?=[ \t\u00A0\u2000-\u200A\u3000\n]|\z)";

    private const string Tag =
        @"<(?:[!?][A-Za-z-][^>\n]*|/?[A-Za-z_:][-A-Za-z0-9_:.]*(?: +[A-Za-z][A-Za-z0-9.,:_]*(?: *= *(?:'[^'\n]*'|""[^""\n]*""|[A-Za-z0-9_.]+))?)* */? *)>";

    private const string Generic = "[A-Za-z0-9][A-Za-z0-9.,]*-[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*";

    // What begins a sentence after a letter with a stop ("plan B. The next one").
    private const string Starters =
        "A|About|After|According|Additionally|An|As|At|But|Earlier|He|Her|Here|However|If|In|It|Last|Many|More|Mr\\.|Ms\\.|Now|Once|One|Other|Our"
        + "|She|Since|So|Some|Such|That|The|Their|Then|There|These|They|This|We|When|While|What|Yet|You";

    // Kept with their stop; the letter that is not blind to case stands in a class.
    private const string Months = "(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)";
    private const string Days = "(?:mon|tues?|wed|thurs?|fri)";

    private const string States =
        "(?:ala|ariz|calif|colo|conn|ct|dak|fla|ga|ind|kans?|ky|md|mich|minn|mo|mont|neb|nev|okla|penn|tenn|va|vt|wisc?|wyo"
        + "|(?-i:(?=[A-Z]))(?:az|ark|del|ill|la|mass|miss|ore|pa|tex|wash))";

    private const string Firms =
        "(?:inc|cos?|corp|pte|pty|ltd|plc|rt|bancorp|bhd|assn|univ|intl|sys|tel|est|ext|sq|jr|sr|bros|ed\\.d|ph\\.d|blvd|rd|esq|etc|al|seq|bldg)";

    private const string Titles =
        "(?:mrs?|ms|(?-i:(?=[A-Z]))miss|drs?|profs?|sens?|reps?|attys?|lt|col|gen|messrs|govs?|adm|rev|maj|sgt|cpl|pvt|capt|ste?|ave|pres|lieut|hon|brig"
        + "|co?mdr|pfc|spc|supts?|det|mt|ft|adj|adv|asst|assoc|ens|insp|mlle|mme|msgr|sfc|vs|alex|wm|jos|cie|a\\.k\\.a|cf|treas|ph|invt|elec|natl|mfg|mtg"
        + "|dept)";

    private const string Numbered = "(?:nos?|figs?|ca|prop|art|bldg|pp|op)";
    private const string FileEnds =
        "(?:bat|bmp|c|class|cgi|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|tar|txt|wav|x|xml|zip)";

    public static readonly PtbRule[] All =
    [
        new(@"[Cc]\+\+|[CcFf]#"),
        Blind("(?<t>can)not|(?<t>gon)na|(?<t>got)ta|(?<t>lem)me|(?<t>gim)me|(?<t>wan)na|(?<t>'t)(?:is|was)"),
        new(Tag, Solid),
        new(@"[\u2012-\u2015\u0096\u0097]|&(?:mdash|ndash|MD);", _ => "--"),
        new("&amp;", _ => "&"), new("&lt;", _ => "<"), new("&gt;", _ => ">"), new("&nbsp;", _ => string.Empty), new("&quot;", _ => "\""),
        new(Word), new($"(?<t>{Word}){Clitic}"), new($"(?<t>{L}{LD}*(?<=[^\\p{{Nd}}nN]))[nN]['\\u2019`][tT]"),
        Blind($@"(?<t>(?:{Months}|{Days}|{States}|{Firms})\.)[\s\S]{{0,2}}"),
        new($"{Ap}[nN]{Ap}?|[lLdDjJ]{Ap}|[oO][lL]{Ap}|[dD]unkin{Ap}|[sS]omethin{Ap}|{Ap}(?:em|[tT]ill?|cause|[2-9]0s)"),
        new($"(?:[oO]{Ap}[cC]lock|[cC]ont{Ap}d|[nN]or{Ap}easter|[cC]{Ap}mon|[eEoO]{Ap}er|[sS]{Ap}mores|[eE]v{Ap}ry|[lL]i{Ap}l|[nN]at{Ap}l)"),
        new($"[A-HJ-XZn]{Ap}{L}{{2,}}|[A-Za-z]+[aeiouyAEIOUY]{Ap}[aeiouA-Z][A-Za-z]*"),
        new($"(?<t>[yY]{Ap}){L}"), new($"(?<t>[rR]ock){Ap}[nN]{Ap}[rR]oll"),
        Blind(@"https?://[^ \n\t""<>|()]+[^ \n\t""<>|.!?(),;:{}\[\]-]"),
        Blind($@"www\.{Host}(?:\.{Host})*"), Blind($@"(?![0-9]){Host}(?:\.{Host})*\.{Domain}(?:/[^ \n\t""<>|()]+[^ \n\t""<>|.!?(),-])?"),
        new(@"(?:mailto:)?<?[A-Za-z0-9][^ \n\t\u00A0""<>|()]*@[^ \n\t\u00A0""<>|().]+(?:\.[^ \n\t\u00A0""<>|().]+)*>?"),
        new($"@[A-Za-z_][A-Za-z_0-9]*|#{L}+"),
        new($"(?<t>{Clitic}){NoLetter}"), new($"(?<t>[nN]['\\u2019`][tT]){NoLetter}"),
        new(@"[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4}"), new(Number), new(@"[\u00B2\u00B3\u00B9\u2070-\u208E]"),
        new(@"(?:[0-9]{1,4}[- \u00A0])?[0-9]{1,4}(?:\\?/|\u2044)[0-9]{1,4}", Solid),
        new(@"[\u00BC-\u00BE\u2153\u2154]", Fraction),
        new(Compound), Blind("pro-|anti-"), new($"[cC]ap{Ap}n|[cC]{Ap}est"),
        new(Generic), new($"(?:{Joined}(?:{Hyphen}{Joined})*|{Generic}|[A-Za-z0-9][A-Za-z0-9.,]*){Hyphen}[A-Za-z](?:\\.[A-Za-z])+\\.(?:{Hyphen}{Joined})*"),
        new($@"{SlashPart}(?:\\?/{SlashPart}){{1,2}}"),
        new(@"[A-Z]*\$"), new(@"\u00A3", _ => "#"), new(@"[\u20AC\u0080]", _ => "$"), new(@"\u00A2", _ => "cents"),
        new("[A-Z]+(?:(?:&amp;|&)[A-Z]+)+", text => text.Replace("&amp;", "&")),
        new($@"(?<t>[A-Za-z])\.[ \t\u00A0\n](?:(?:{Starters})[ \t\u00A0\n]|{Tag})"),
        new($@"(?<t>[A-Za-z](?:\.[A-Za-z])+\.)[ \t\u00A0\n](?:(?:{Starters})[ \t\u00A0\n]|{Tag})", text => $"{text} ."),
        new(Acronym), new($@"(?<t>[A-Za-z](?:\.[A-Za-z])+){End}"),
        Blind($@"(?<t>{Numbered}\.)[ \t\n\u00A0]?[0-9]"),
        Blind($@"{Titles}\."),
        new($@"(?<t>{LD}+(?:\.{LD}+)*\.{FileEnds})(?:[ \n.?!,]|\z)"),
        new($@"(?<t>(?:{Compound}|{Generic}|{Word})\.)[,;:]"),
        new(@"(?:\([0-9]{2,3}\)[ \u00A0]?|(?:\+\+?)?(?:[0-9]{2,4}[- \u00A0])?[0-9]{2,4}[- \u00A0])[0-9]{3,4}[- \u00A0]?[0-9]{3,5}", Phone),
        new(@"(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}", Phone),
        new(@"(?<t>"")[A-Za-z0-9$]", _ => "``"), new(@"[""\u201D\u00BB]|''|\u2019\u2019", _ => "''"), new(@"\u201C|\u00AB|``", _ => "``"),
        new(@"(?<t>[<>]?[:;=][-o*']?[()DPdpO3\\{@|\[\]])(?![A-Za-z0-9])", Brackets), new(@"\^_\^|>_<|-_-|=_=|o_O"),
        new(@"\(", _ => "-LRB-"), new(@"\)", _ => "-RRB-"), new(@"\{", _ => "-LCB-"), new(@"\}", _ => "-RCB-"),
        new(@"\[", _ => "-LSB-"), new(@"\]", _ => "-RSB-"),
        new("-+", text => text.Length is 3 or 4 ? "--" : text),
        new(@"\.{3,5}|\.(?:[ \u00A0]\.){2,4}|\u2026", _ => "..."),
        new("@+|#+|_+|\\*+"), new("[?!]+"), new("[.,;:]"),
        new($@"(?<t>{Ap}[0-9]{{2}}){End}"),
        new($@"(?<t>'){L}[^ \n\t\u00A0]", _ => "`"), new(@"[\u2018\u2039\u201B]", _ => "`"), new(@"['\u2019\u203A]", _ => "'"),
    ];

    private static PtbRule Blind(string pattern, Func<string, string>? make = null) => new($"(?i:{pattern})", make);

    /// <summary>Blanks inside a token are hard ones.</summary>
    private static string Solid(string text) => text.Replace(' ', '\u00A0').Replace('\u2044', '/');

    private static string Phone(string text) => Brackets(text).Replace(' ', '\u00A0');

    private static string Brackets(string text) => text.Replace("(", "-LRB-").Replace(")", "-RRB-");

    private static string Fraction(string text) => text[0] switch
    {
        '\u00BC' => "1/4",
        '\u00BD' => "1/2",
        '\u00BE' => "3/4",
        '\u2153' => "1/3",
        _ => "2/3",
    };
}
