"""The words that a number is said with: 2,048 plain English ones of three to eight letters, in alphabetical order; no
two begin with the same four letters, so four are enough to type or to hear. Data, read by `wire.words` alone.

Frozen: an image of one release and a server of another draw from this list, and a word that changed would look like a
man in the middle.
"""

_TEXT = """
abandon abide ability able abnormal abolish abort about above abroad absence absolute abstract academic access
accident account accurate ace achieve acid acorn acoustic acquire across act active actor actual acute adapt
add addition address adequate adhere adjacent adjust admit adopt adult advance advent advice advocate aerial
affair affect afford after against age agency aging ago agony agree ahead aim air aircraft airport akin alarm
album alert algebra alias alien align alike alive all allege alliance allow ally almost along aloud alpha
already also although always amaze amber ambient among amount amp ample amuse anagram analysis anatomy
ancestor ancient and anecdote angel angle animal announce annual another answer antique any anyone anything
anyway apart apathy apology apparent appear applied appoint approach apt arc arcane archive are area arena
argument arise arm army arose around arrange arrest arrive arrow art article ascend ash aside ask asleep
aspect assembly assign assort assume asterisk atlas atomic attach attempt attitude attorney attract audience
author automate autumn average avoid await awake aware away awful awkward axiom baby back bacteria bad badge
baffle bag baggage bake balance ban banana bank bar bargain bark baroque barrel bash basic basket bat batch
bath battery baud bay beach beam beast beauty because become bed bedroom beef before begin behavior behind
being believe bell below belt bench bend benefit beside best bet beta between beware beyond bias bicycle bid
big bin binary biology bird birth biscuit bit bitmap bizarre black blade blank blast blatant bless blew blink
bliss blob block blow blue boat bob body boil bold bolt bone bonus book boom boost boot border bore borrow
boss both bottom bound bout bowl box boy bracket brain branch brave breed brethren brick bridge brief bright
bring broad broken brown brush bubble bucket budget bug build bulb bulk bulletin bump bunch bundle burden
buried burn burst bush business busy but button bypass byte cabbage cabinet cable caffeine cage cake calculus
calendar call calm cam campaign can cancel cannot cap capable capital captain car carbon care carpet carry
cartoon case cash cassette cast casual cat catalog catch category cattle cause caution caveat cease ceiling
censor central ceremony certain chain chalk champion change chapter char chase chat cheap cheese chemical
chess chew chicken chief child chip choice choose chop chorus chuck chunk cider cinema circle citizen city
civil claim clarify class clear clever click client cliff climb clinic clip clique clock clog clone close
cloth cloud club clue cluster coarse coast coat code coffee coherent coincide cold collect color column
combine come comfort comic command complete concept conduct confirm connect consider contain convert cookie
cool cope copy corn correct cosmic cost cotton cough could count couple course cousin coverage crack craft
crawl crazy create credit creep crew cricket crisp critical crop cross crown crucial crude cruise crunch cry
cryptic crystal cube cubic culprit culture cup cure cursor curve custom cut cycle cylinder daily damage damp
dance dare dark dash data date daughter dawn day daylight daytime deal debate debt debug decade decent decide
deck declare decode decrease dedicate deduce deed deem deep default defense define degree delay delete
delivery delta demand dense deny depend deposit deprive depth deputy derive describe deserve design desk
despite destroy detail detect develop device devote diagram dialog diameter diary dice dictate diet differ dig
digit dilemma dim dip direct disaster discover dish disk dislike dismiss disorder display disrupt distinct
ditch diverse division doctor document dodge doe dog dollar domain dominant don donation done doom door dose
dot double down dozen drag drain dramatic drastic draw dream dress dries drift drill drink drip drive drop
drum dry dubious duck due dull dummy duration during dust duty dynamic each eager eagle ear earn earth ease
east easy eat echo economy edge editor educate effect effort egg either elect elegant element elephant
elevator eligible else embed emerge emit emotion emphasis employee empty emulator enable enclose encode end
endeavor endless energy enforce engage engine enhance enjoy enlarge enormous enough ensure entail enter entire
entry envelope envisage epic episode equal equip era erase err error escape essay essence estate estimate
eternal ethical ethnic evaluate even every evidence evolve exact example except exchange exclude excuse exempt
exercise exhibit exist exit exotic expand expect expire explicit export express extant external extra eye
fabric face facility fact faculty fail faint faith fake fall false fame familiar famous fan fancy fantasy far
farm farthest fashion fast fate father fault favor feasible feature federal fee feedback feel fence fetch few
fiction fiddle field fifty fight figure file fill film filter final fine finger finish fire firm first fiscal
fish fit five fix flag flame flash flat flavor flaw fleet flexible flight flip float floor floppy flow fluent
fluid flush flute fly focus fog fold folk follow font food fool foot forbid force foreign forget fork format
forth forum forward fossil fraction fragment frame frank freak free french frequent fresh friction friend
frighten fringe frog from front fruit fudge fulfill fully fun function funeral funny further fuse fusion fussy
future fuzzy gain game gang gap garage garbage garden gasoline gasp gateway gather gear gender generate genius
genre gentle genuine geometry gesture get giant gift given glad glance glass global glory glow glue goal goat
going gold golf goodness governor grab grace graduate grain grammar grant graph grass grateful gray great
green grid grip group grow guard guess guide guinea guitar guy habit half halt ham handle happen hardware
harmless hash hasty hat havoc hay hazard hazy head health heat heavy height hello help hence heritage hero
herself hesitate hide hill himself hint hip history hit hobby holiday hollow home honor hook hope horizon horn
hospital host hot hotel house how however huge human humble hundred hunt hurry husband hydrogen hyphen ice
icon idea identify idiom ignore illusion image immense imminent immortal immune impact imperial implied impose
improve impulse inch incident include income increase incur index indicate industry inertia inferior infinite
inherit inhibit initial inject injury ink innocent input inquiry insert inside inspect instead intact internal
intimate into invalid invent invite involve ion iron irritate island isolate issue item itself jack jazz jeans
jet job join joke journal joy juice jump junction junior jury just keen keep kernel key keyboard keyword king
kiss kit kitchen knock known lab label labor lack lady lag lake lamp lane language large laser last late
latter laugh launch law lawyer layout lazy leach leaf league leak lean leap learn least leave lecture leg
legal legend legible leisure lemon lend length lenient lens less let level liaison liberal library license lid
lie lifetime lift light like limb limit line link lion lip liquid lisp list literal little live load lobby
location lock log logic logo long look loop loose loss lot loud love low luck luggage lump lunch lyric machine
magic magnetic major make man manage mandate mangle manual many map march margin mark marry mask massive match
material matrix mature maximum may maybe maze meal mean measure mechanic medium melody melt member memory men
mention menu mere merge merit message metal method metric mice middle midnight might migrate mile military
million mimic mindless mine minimum minor mint minute mirror misery misprint mission mistake misuse mix
mixture mnemonic mobile mock mode modify module mole moment money monitor monkey monster month moon moral more
most motion motor motto mount mouse mouth move movie much mud muddle multiple mundane museum music must mutual
myself mystery nail naive name narrow national nature near neat neck need negative neglect neighbor neither
nervous nest net network neutral never next nice nick nine nobody node noise nominal nonsense noon normal
north nose notation note nothing notice noun novel novice now nowadays nowhere nuclear nuisance null numb
numerous nut obey object obscure observe obsolete obstruct obtain obvious occasion occur ocean odd off offense
official offset often oil old omission omit once ongoing onion only onto open operate opinion opposite opt
option opus orange order ordinary organize orient original other ought out outcome outdated outgoing outline
output outright outside outweigh over ozone pace package page pan panel panic parallel parent parity park
parrot parse part password past patch patent path patient pattern pavement pay payment peculiar pedantic pen
penalty pencil pending penguin people per percent perform perhaps period permit person petrol phase phoenix
phone photo phrase physical piano pick picture pie pigeon pile pill pilot pin pinch pink pint pipe pit pitch
pitfall pizza place plan plastic platform play please plenty plot plug plural plus pocket poem poet point poke
polar policy pool popular port pose position possible post pot potato pound powder power practice praise
precise predict prefer premium prepare present pretty previous price primary print prior private prize problem
process produce profile progress prohibit project prolong prompt proof property prospect protect provide pub
public pull pulp pulse pump puncture purchase pure purge purity purpose pursue push put python quality
quantity queen query question quick quiet quite quiz quote rabbit race rack radar radio rage raid railroad
raise ram random range rank rapid rare rate rather ratio raw ray razor reach real reason rebuild recall recent
recipe reclaim record rectify recycle redefine redirect reduce refine reflect reformat refresh refuse regard
region regular reject relative release reliable rely remain remember remind remove rename rend renew repair
repeat rephrase replace report request rescue reserve resident resource response rest result retain retire
retrieve return reuse reverse review reward rewrite rhythm ribbon rice rich ridden ride rigid rigorous ring
rip rise risk ritual river robot robust rocket rod roman room rope rose rotation rough round row rub rubbish
rule rumor run rush rusty safe saint sake salary salt same sample sandwich sanity satisfy sauce save scale
scarce scatter scheme school science scope score scratch screen script scroll seal search season seat second
secret section security seek segment select self semantic seminar send senior sense separate sequence series
sermon service session set settle several shadow shake shape share sheet shell shift shiny ship shirt shoot
shop short should shove show side sigma sign silent silicon silver similar simple simulate since sine single
sister sit six sixteen size skeleton sketch skill skin skip sky sleep slice slide slight slim slip slogan slot
slow small smart smash smile smith smooth snail snow soap society socket software solar solid solo solution
solve song soon sore sound soup source south space span spare spatial speak specify speed spell sphere spike
spill spin spirit spoil sponsor spool sport spot spray spread spy square squeeze stable stack staff stage
stamp standard start status stay steer stem step stereo stick still stir stock stone stop store strategy
stream string strong struck study stuff stumble stunt style subject submit subset subtle success sudden
suffice sugar suggest suitable summary sundry sunny sunrise superior support supreme sure surface surgery
surname surprise surround survive suspend sustain swallow swamp swap sweat sweep swing switch symbol symmetry
symptom syndrome synonym syntax system tab table tack tactic take talk tangent tank tape target task taste tax
taxi teach teapot teeth tell temple ten tendency tennis tense tenth terminal terse test text theft theory
thick third thorough three thrust thumb ticket tidy tie tiger tight tile till time tiny tip title toad toast
today together toggle token tolerate toll tomato tomorrow tone tongue tonight tool tooth top topic total touch
tough tour toward town toy trace trade traffic train transfer trap travel tray treat tree trek trend trial
trick trigger trip triumph trivial trouble truck true trumpet trunk trust truth try tube tune tunnel turn
tutorial twelve twenty twice twin twist type typical ultimate umbrella unable unaware unbiased unclear
uncommon under uniform union unique unit universe unknown unless unlike unlock unread unset unstable until
untrue unusual unwise update upgrade upper upright upside upward urban urgency usable usage use useful using
usual utility utter vacation vacuum vague valid value valve van vanish variable vast vector vehicle velocity
vendor venture venue verbose verdict verify version vertical vet via viable vicinity victory video view
vintage virtue visible visual vital voice void voltage volume vote vowel waffle wake walk wall want warm warp
warranty wary wash watch water wealth wed welcome well west wheel when while whistle white wide width wife
will win window wing winter wipe wire wisdom wise wish wit with witness wizard wolf woman wombat women wonder
wooden work world worth wrap wren wrist year yellow yield young yourself zero zone zoom
"""
WORDS = tuple(_TEXT.split())
"""Eleven bits each."""
