"""Templates, as Velocity 1.7 documents and renders them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.expressions import velocity
from cumulet.expressions.velocity import Host, JsonList, NoSuchMethod, VelocityError


class Greeter(Host):
    def call(self, name: str, arguments: list[Any]) -> Any:
        if name == "greet" and len(arguments) == 1:
            return f"Hello {arguments[0]}"
        raise NoSuchMethod(name)

    def get(self, name: str) -> Any:
        return "greeter" if name == "kind" else None

    def text(self) -> str:
        return "<greeter>"


def references() -> dict[str, Any]:
    return {
        "x": 5,
        "s": "some text",
        "yes": True,
        "no": False,
        "list": ["a", "b", "c"],
        "map": {"one": 1, "two": {"three": 3}, "null": None},
        "json": {"list": JsonList([{"a": 'q"'}, None, True, 1.5])},
        "host": Greeter(),
        "big": 10**20,
        "half": 0.5,
        "empty": "",
    }


RENDERED = {
    # references
    "$x ${x}y $!x $!{x}": "5 5y 5 5",
    "$none ${none} $none.a.b() $none[0] [$!none] [$!{none.x}]": "$none ${none} $none.a.b() $none[0] [] []",
    "$ $1 $. $[ $! ${1} $": "$ $1 $. $[ $! ${1} $",
    "$x.y. $x, $x-y": "$x.y. 5, $x-y",
    "$map.one $map.two.three $map.get('one') $map['two']['three']": "1 3 1 3",
    "$list[0] $list[-1] $list.get(1)": "a c b",
    "$map $list $json.list $half $big $yes": '{one=1, two={three=3}, null=null} [a, b, c] [{"a":"q\\""},null,true,1.5] 0.5 '
    "100000000000000000000 true",
    "$json": '{list=[{"a":"q\\""},null,true,1.5]}',
    "$host $host.kind $host.greet('you') $host.other $host.leave()": "<greeter> greeter Hello you $host.other $host.leave()",
    "$x.class $s.__len__() $s.format $list.append(1) $host.mro()": "$x.class some text.__len__() $s.format $list.append(1) $host.mro()",
    # escapes
    r"\$x \\$x \\\$x": r"$x \5 \$x",
    r"\$none \\$none": r"\$none \\$none",
    r"$\!x $\\!x": r"$!x $\!x",
    r"\#if \\#if(true)a#end \#notthere \#end": r"#if \a\#notthere #end".replace(r"\a\#", r"\a \#"),
    r"a\b \\": r"a\b \\",
    # comments and literals
    "a## b\nc": "ac",
    "a#* $x\n *#b#** $x *#c": "abc",
    "#[[$x #if ]]#$x": "$x #if 5",
    "#literal()$x#end": "$x",
    "#fff #1 # #none #none(1) C#": "#fff #1 # #none #none(1) C#",
    # set
    "#set($a = 1)$a": "1",
    "#set( $a = $x + 1 )\n$a\n": "6\n",
    "#set($a = 1)\n  #set($b = 2)\n$a$b": "12",
    "x\n  #set($b = 2)\n$b": "x\n  2",
    "#set($a = $none)$a": "$a",
    "#set($map.new = 'v')$map.new#set($map['k'] = 'w')$map.k#set($list[0] = 'z')$list[0]": "vwz",
    "#set ($a = 2)$a #set nothing #settle": "2 #set nothing #settle",
    # arithmetic
    "#set($a = 7 / 2)$a#set($a = -7 / 2) $a#set($a = -7 % 3) $a#set($a = 7.0 / 2) $a": "3 -3 -1 3.5",
    "#set($a = (1 + 2) * 3 - 4)$a": "5",
    "#set($a = 1 / 0)$a": "$a",
    "#set($a = 'a' + 1)$a#set($a = 1 + ' b') $a": "a1 1 b",
    "#set($a = 2147483647 + 1)$a": "2147483648",
    "#set($a = 'a' * 2)$a": "$a",
    # conditions
    "#if($x == 5)a#end#if($x == '5')b#end#if($x == 5.0)c#end#if($s == 'some text')d#end": "abcd",
    "#if($x > 4 && $x <= 5 || $no)a#{else}b#end": "a",
    "#if($none)a#elseif($no)b#elseif(!$yes)c#{else}d#end": "d",
    "#if($empty)a#end#if('')b#end#if($none == $null)c#end#if($none == '')d#end": "ac",
    "#if($x lt 6 and $x ge 5 and not $no)a#end#if($x ne 5 or $x eq 5)b#end": "ab",
    "#if($s > 1)a#{else}b#end": "b",
    "#if ( $yes )\n  a\n#else\n  b\n#end\nc": "  a\nc",
    # loops
    "#foreach($i in [1..3])$i#if($foreach.hasNext), #end#end": "1, 2, 3",
    "#foreach($i in [2..-1])$i #end": "2 1 0 -1 ",
    "#foreach($i in $list)$foreach.index$foreach.count$velocityCount$foreach.first$foreach.last #end": "011truefalse 122falsefalse 233falsetrue ",
    "#foreach($i in $list)#foreach($j in [1,2])$foreach.parent.index$foreach.index #end#end": "00 01 10 11 20 21 ",
    "#foreach($v in {'a':1,'b':2})$v#end": "12",
    "#foreach($e in $map.entrySet())$e.key=$e.getValue().toString() #end": "one=1 two={three=3} null=$e.getValue().toString() ",
    "#foreach($k in $map.keySet())$k #end": "one two null ",
    "#foreach($i in $list)#if($i == 'b')#break#end$i#end|$i": "a|$i",
    "#foreach($i in $none)a#end#foreach($i in $s)b#end#foreach($i in $x)c#end": "",
    "a#stop b": "a",
    "#set($i = 1)#foreach($i in $list)$i#end$i": "abc1",
    # macros, blocks
    "#macro(m $a $b)<$a|$b>#end#m('1' $x)#m($none)": "<1|5><$none|$b>",
    "#early('x')#macro(early $a)[$a]#end": "[x]",
    "#macro(m $a)#set($a = 2)#end#set($v = 1)#m($v)$v": "2",
    "#macro(m)(#if($bodyContent)$bodyContent#end)#end#@m()in $x#end": "(in 5)",
    "#macro(loop $n)$n#if($n > 0)#set($n = $n - 1)#loop($n)#end#end#set($v = 3)#loop($v)": "3210",
    "#define($d)[$x]#end#set($x = 6)$d$d.toString()": "[6][6]",
    "#evaluate('$x')#set($t = '#if($yes)$s#end')#evaluate($t)": "5some text",
    # texts
    "#set($a = \"$x ${s}! #if($yes)y#end\")$a#set($a = '$x') $a": "5 some text! y $x",
    '#set($a = \'it\'\'s\')$a#set($a = "say ""hi""") $a#set($a = "\\u0041") $a': 'it\'s say "hi" A',
    '#set($a = "a\\n")$a': "a\\n",
    # methods
    "$s.length() $s.toUpperCase() $s.substring(5) $s.substring(0,4) $s.indexOf('t') $s.charAt(0) $s.contains('me')": "9 SOME TEXT text some 5 s true",
    "$s.replace('e','E') $s.replaceAll('[aeiou]','<$0>') $s.replaceFirst('e','3') $s.matches('[a-z ]+')": "somE tExt s<o>m<e> t<e>xt som3 text true",
    "$s.split(' ') $s.split('t')": "[some, text] [some , ex]",
    "$s.equals('some text') $s.equalsIgnoreCase('SOME TEXT') $s.startsWith('so') $s.concat('!') #set($h = 'hello')$h.hashCode()": "true true true some text!99162322",
    "$s.format('%05d|%s|%.2f|%-3s|%x', 7, true, 1.5, 'a', 255) $s.join('-', $list)": "00007|true|1.50|a  |ff a-b-c",
    "$list.size() $list.isEmpty() $list.contains('b') $list.indexOf('c') $list.add('d') $list $list.subList(1,3)": "3 false true 2 true [a, b, c, d] [b, c]",
    "$list.remove(0) $list.remove('c') $list $list.set(0,'z') $list": "a true [b] b [z]",
    "$map.put('a', 1) $map.put('a', 2) $map.size() $map.containsKey('a') $map.remove('a') $map.containsValue(1)": "$map.put('a', 1) 1 4 true 2 true",
    "$x.toString().length() $x.equals(5) $x.equals('5') $x.parseInt('12') $half.intValue()": "1 true false 12 0",
    "#set($l = [])#set($d = {})$l $d $l.empty $d.isEmpty() $l.add({'a': [1, $x]}) $l": "[] {} true true true [{a=[1, 5]}]",
}
FAILING = {
    "#if(true": "expected",
    "#if true": "expected '('",
    "#if($x)": "#end is missing",
    "#end": "without anything",
    "#foreach($a of $b)#end": "expected 'in'",
    "#set($x)": "expected '='",
    "${x y}": "expected '}'",
    "$x.y(1": "expected ','",
    "$x.y(#)": "expected a value",
    "#set($a = 'b)": "does not end",
    "#[[ a": "without ]]#",
    "#parse('a')": "#parse",
    "#macro()#end": "needs a name",
    "$s.substring(99)": "substring failed",
    "$list.get(9)": "get failed",
    "$list[9]": "no element",
    "$x.parseInt('a')": "parseInt failed",
    "$s.replaceAll('(', '')": "replaceAll failed",
    "#macro(m)#m()#end#m()": "too deeply",
    "#define($d)$d#end$d": "too deeply",
    "#foreach($i in [1..99999])#foreach($j in [1..99999])#end#end": "too much work",
    "#foreach($i in [1..999999999])#end": "too long",
    "#set($a = 'aaaaaaaaaa')#foreach($i in [1..40])#set($a = \"$a$a\")#end": "too",
    "#set($a = 99999)#foreach($i in [1..40])#set($a = $a * $a)#end": "too large",
    "#set($l = [])#set($z = $l.add($l))$l": "too deeply",
    "$s.repeat(99999999)": "too long",
    "#set($t = $s.repeat(900000))#foreach($i in [1..99999])#set($u = $t.toUpperCase())#end": "too much work",
    "#set($l = [])#foreach($i in [1..3000])#set($z = $l.add([1..50]))#end#foreach($i in [1..999])#if($l == 'x')#end#end": "too much work",
    "#set($a = " + "(" * 100 + "1" + ")" * 100 + ")": "too deeply",
    "#if(1)" * 100: "too deeply",
    "$s.replaceAll('(a+)+b', '')$s.concat('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replaceAll('(a+)+b', '')": "too long",
}


@pytest.mark.parametrize("template", RENDERED)
def test_rendered(template: str) -> None:
    assert velocity.compile(template).render(references()) == RENDERED[template]


@pytest.mark.parametrize("template", FAILING, ids=range(len(FAILING)))
def test_what_fails_says_why(template: str) -> None:
    with pytest.raises(VelocityError, match=FAILING[template].replace("(", r"\(").replace("[", r"\[")):
        velocity.compile(template).render(references())


def test_errors_have_places() -> None:
    with pytest.raises(VelocityError) as raised:
        velocity.compile("a\nb #if(")
    assert (raised.value.line, raised.value.column) == (2, 7)
    with pytest.raises(VelocityError) as raised:
        velocity.compile("\n $s.substring(99)").render(references())
    assert (raised.value.line, raised.value.column) == (2, 2)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("[$none][$none.x][$none.x()]", "[][][]"),
        ("#set($a = $none)#if($a == $null)a#end#if($a == '')b#end#if($a)c#end$a", "ab"),
        ("#set($a = 'x' + $none)$a", "x"),
        ("$map.put('a', 1)$map.a", "1"),
        (r"\$none", "$none"),
    ],
)
def test_blank_references_are_empty_texts(template: str, expected: str) -> None:
    assert velocity.compile(template).render(references(), blank=True) == expected


def test_loops_can_be_limited() -> None:
    assert velocity.compile("#foreach($i in [1..50])x#end").render({}, loops=7) == "x" * 7


def test_renderings_know_nothing_of_each_other() -> None:
    template = velocity.compile("$!a#set($a = 1)$a")
    given = references()
    assert template.render(given) == template.render(given) == "1"
    assert "a" not in given
    assert velocity.compile("$!a#set($a = 1)$a") is template


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.0"), (0.1, "0.1"), (1e7, "1.0E7"), (12345678.9, "1.23456789E7"), (0.0001, "1.0E-4"), (1e-5, "1.0E-5"), (1.5e300, "1.5E300"),
     (-0.0, "-0.0"), (123456.789, "123456.789"), (float("inf"), "Infinity"), (-25e9, "-2.5E10")],
)  # fmt: skip
def test_doubles_are_printed_as_java_prints_them(value: float, text: str) -> None:
    assert velocity.to_text(value) == text


@given(st.text(alphabet="$#\\!{}()[]abx.\"' \n=12+-,:<&|*", max_size=40))
def test_any_text_is_a_template_or_an_error(text: str) -> None:
    try:
        velocity.compile(text).render({"a": "b", "x": [1]})
    except VelocityError as error:
        assert error.message  # noqa: PT017  (both outcomes are right)


@given(st.text(alphabet=st.characters(blacklist_characters="$#\\")))
def test_text_is_itself(text: str) -> None:
    assert velocity.compile(text).render({}) == text


integers = st.integers(-50, 50)


@given(integers, integers, st.sampled_from("+-*/%"))
def test_whole_numbers_as_java(left: int, right: int, sign: str) -> None:
    """Quotients are cut towards zero; what is left has the sign of what was divided."""
    printed = velocity.compile(f"#set($r = $a {sign} $b)$!r").render({"a": left, "b": right})
    if sign in "/%" and right == 0:
        assert printed == ""
        return
    quotient = int(left / right) if right else 0
    expected = {"+": left + right, "-": left - right, "*": left * right, "/": quotient, "%": left - quotient * right}[
        sign
    ]
    assert printed == str(expected)
