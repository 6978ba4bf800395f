"""Names of people, by the culture that they come from."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "oe", "Ø": "Oe", "æ": "ae", "ł": "l", "Ł": "L", "ı": "i", "'": "", " ": ""}
)


def ascii_letters(text: str) -> str:
    """Text in small letters as it stands in mail addresses: without accents, blanks and apostrophes."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(char for char in plain if char.isascii() and (char.isalnum() or char == "-")).lower()


@dataclass(frozen=True, slots=True)
class Name:
    """A name and how mail addresses spell it."""

    text: str
    mail: str


@dataclass(frozen=True, slots=True)
class Culture:
    """First names of women and of men, and last names."""

    women: tuple[Name, ...]
    men: tuple[Name, ...]
    last: tuple[Name, ...]


def _names(text: str) -> tuple[Name, ...]:
    words = (word.replace("_", " ") for word in text.split())
    return tuple(Name(word, ascii_letters(word)) for word in words)


CULTURES: Mapping[str, Culture] = {
    "english": Culture(
        _names(
            """Abigail Alice Amelia Amy Angela Beth Brenda Carol Catherine Charlotte Chloe Claire Deborah Diane
            Eleanor Emily Emma Erin Eva Fiona Florence Gemma Grace Hannah Harriet Helen Isabel Jane Janet Jessica
            Joan Julie Karen Kate Laura Lauren Linda Lucy Margaret Mary Megan Molly Nancy Natalie Nicole Nora
            Olivia Pamela Patricia Rachel Rebecca Rose Ruth Sandra Sarah Sharon Sophie Susan Teresa Tracy Victoria
            Wendy Yvonne Zoe"""
        ),
        _names(
            """Adam Alan Andrew Anthony Ben Brian Callum Charles Christopher Colin Craig Daniel David Dean Derek
            Edward Eric Ethan Frank Gareth Gary George Graham Harry Henry Ian Isaac Jack Jacob James Jason John
            Jonathan Joseph Keith Kevin Lewis Liam Luke Mark Martin Matthew Michael Nathan Neil Nicholas Noah
            Oliver Oscar Owen Patrick Paul Peter Philip Richard Robert Ryan Samuel Scott Sean Simon Stephen Steven
            Thomas Timothy Toby Tyler Walter William"""
        ),
        _names(
            """Adams Allen Anderson Armstrong Atkinson Bailey Baker Barnes Bell Bennett Brooks Brown Burke Butler
            Campbell Carter Chapman Clark Coleman Collins Cook Cooper Cox Crawford Cunningham Davies Davis Dawson
            Dixon Edwards Elliott Ellis Evans Fisher Fletcher Ford Foster Fox Gibson Gordon Graham Grant Gray
            Green Griffiths Hall Hamilton Harris Harrison Harvey Hayes Henderson Hill Holmes Howard Hughes Hunt
            Jackson James Jenkins Johnson Johnston Jones Kelly Kennedy King Knight Lawson Lewis Lloyd MacDonald
            Marshall Mason Matthews McCarthy Miller Mills Mitchell Moore Morgan Morris Murphy Murray Nelson
            Newman O'Brien O'Neil Palmer Parker Pearson Perry Phillips Porter Powell Price Reed Reid Reynolds
            Richards Richardson Roberts Robertson Robinson Rogers Ross Russell Ryan Sanders Saunders Scott Shaw
            Simpson Smith Spencer Stevens Stewart Sullivan Taylor Thompson Turner Walker Wallace Walsh Ward Watson
            Watts Webb Wells White Williams Wilson Wood Wright Young"""
        ),
    ),
    "german": Culture(
        _names(
            """Andrea Angelika Anja Anke Anna Annika Antje Astrid Barbara Bettina Birgit Carolin Christina Claudia
            Daniela Doris Elke Eva Franziska Gabriele Hannah Heike Ines Jana Johanna Julia Karin Katharina Katrin
            Kerstin Lea Lena Lisa Luisa Maike Marie Martina Melanie Monika Nadine Nicole Nina Petra Sabine Sandra
            Sarah Silke Simone Sonja Stefanie Susanne Tanja Ulrike Ursula Ute Vera"""
        ),
        _names(
            """Alexander Andreas Bernd Bernhard Carsten Christian Clemens Daniel Dieter Dirk Dominik Emil Fabian
            Felix Florian Frank Georg Gerhard Günter Hannes Hans Heiko Heinz Holger Jan Jens Joachim Johannes
            Jonas Jörg Jürgen Kai Karl Klaus Lars Lukas Manfred Marco Markus Martin Matthias Max Michael Moritz
            Niklas Norbert Oliver Peter Philipp Ralf Rainer Robert Sebastian Simon Stefan Sven Thomas Thorsten
            Tim Tobias Ulrich Uwe Volker Werner Wolfgang"""
        ),
        _names(
            """Albrecht Arnold Bauer Baumann Beck Becker Berger Bergmann Böhm Brandt Braun Busch Dietrich Engel
            Ernst Fischer Frank Franke Friedrich Fuchs Graf Groß Günther Haas Hahn Hartmann Heinrich Herrmann
            Hoffmann Hofmann Horn Huber Jäger Jung Kaiser Keller Klein Koch Köhler König Krämer Kraus Krause
            Krüger Kühn Kuhn Lang Lange Lehmann Lindner Lorenz Ludwig Maier Martin Mayer Meier Meyer Möller
            Müller Neumann Otto Peters Pfeiffer Pohl Richter Roth Sauer Schäfer Schmid Schmidt Schmitt Schneider
            Scholz Schreiber Schröder Schubert Schulte Schulz Schumacher Schuster Schwarz Seidel Simon Sommer
            Stein Thomas Vogel Vogt Voigt Wagner Walter Weber Weiß Werner Winkler Winter Wolf Wolff Ziegler
            Zimmermann"""
        ),
    ),
    "french": Culture(
        _names(
            """Adèle Agathe Alice Amélie Anne Audrey Aurélie Camille Caroline Cécile Céline Chantal Charlotte
            Chloé Claire Clémence Delphine Élise Élodie Emma Estelle Florence Françoise Hélène Inès Isabelle
            Jeanne Juliette Julie Laure Léa Louise Lucie Manon Margaux Marie Marion Mathilde Monique Nathalie
            Nicole Nina Océane Pauline Sandrine Sophie Stéphanie Sylvie Valérie Véronique Virginie Zoé"""
        ),
        _names(
            """Adrien Alain Alexandre Antoine Arnaud Arthur Aurélien Baptiste Benoît Bernard Bruno Cédric Christophe
            Clément Damien Denis Didier Éric Étienne Fabien Florian François Frédéric Gabriel Georges Gérard
            Gilles Grégoire Guillaume Henri Hugo Jacques Jérôme Julien Laurent Léo Louis Luc Marc Martin Mathieu
            Maxime Michel Nicolas Olivier Pascal Patrick Paul Philippe Pierre Quentin Raphaël Rémi Romain
            Sébastien Stéphane Thierry Thomas Tristan Vincent Xavier Yann"""
        ),
        _names(
            """André Arnaud Aubert Barbier Benoit Bernard Bertrand Blanc Blanchard Bonnet Boucher Bourgeois Boyer
            Brun Brunet Caron Carpentier Charpentier Chevalier Clément Colin David Denis Deschamps Dubois Dufour
            Dumas Dumont Dupont Dupuis Durand Duval Fabre Faure Fleury Fontaine Fournier François Gaillard Garnier
            Gautier Gérard Girard Giraud Guérin Guillaume Henry Hubert Jacquet Joly Lacroix Lambert Laurent
            Leblanc Leclerc Lecomte Lefebvre Lefèvre Legrand Lemaire Lemoine Leroy Lucas Marchand Martin Masson
            Mathieu Mercier Meunier Meyer Michel Morel Morin Moulin Muller Nicolas Noël Olivier Perrin Petit
            Philippe Picard Pierre Renard Renaud Rey Richard Rivière Robert Robin Roche Rousseau Roussel Roux
            Roy Simon Thomas Vidal Vincent"""
        ),
    ),
    "nordic": Culture(
        _names(
            """Agnete Alma Anette Anna Annika Astrid Birgitte Camilla Caroline Cecilie Ebba Elin Elsa Emma Eva
            Freja Frida Gitte Hanne Helle Ida Inger Ingrid Jette Johanna Josefine Kajsa Karen Karin Katrine
            Kirsten Klara Kristina Lærke Line Linnea Lise Lone Maja Malin Maria Marianne Mathilde Mette Pernille
            Rikke Sanne Sara Signe Sofie Susanne Tilde Tove Ulla"""
        ),
        _names(
            """Aksel Anders Anton Arne Bent Bjørn Carl Christian Claus Emil Erik Finn Frederik Gustav Hans Henrik
            Ingmar Jacob Jakob Jan Jens Jeppe Jesper Johan Jonas Jørgen Kasper Kim Klaus Kristian Lars Lasse Leif
            Magnus Mads Mathias Mikael Mikkel Morten Nicolai Niels Nils Ole Oskar Palle Per Peter Poul Rasmus
            Simon Stig Søren Sven Thomas Tobias Torben Ulrik Viktor"""
        ),
        _names(
            """Andersen Andersson Axelsson Bach Bech Berg Berglund Bertelsen Bjerregaard Carlsen Carlsson
            Christensen Christiansen Clausen Dahl Dam Eklund Eriksen Eriksson Frandsen Frederiksen Friis
            Gustafsson Hansen Hansson Hedlund Henriksen Holm Iversen Jacobsen Jakobsen Jensen Jeppesen Jespersen
            Johansen Johansson Jonsson Jørgensen Karlsson Kjær Knudsen Kristensen Kristiansen Larsen Larsson Lind
            Lindberg Lindgren Lund Lundgren Madsen Magnusson Mikkelsen Mogensen Mortensen Møller Mørk Nielsen
            Nilsson Nygaard Olesen Olsen Olsson Overgaard Paulsen Pedersen Persson Petersen Poulsen Rasmussen
            Schmidt Simonsen Skov Svendsen Svensson Søndergaard Sørensen Thomsen Vestergaard Winther Åkesson
            Öberg"""
        ),
    ),
    "spanish": Culture(
        _names(
            """Adriana Alba Alejandra Alicia Ana Andrea Ángela Beatriz Blanca Camila Carla Carmen Carolina Clara
            Claudia Cristina Daniela Elena Esperanza Eva Gabriela Gloria Inés Irene Isabel Julia Laura Leticia
            Lorena Lucía Luisa Marina Marta María Mónica Natalia Nuria Olga Patricia Paula Pilar Raquel Rocío
            Rosa Sara Silvia Sofía Sonia Teresa Valeria Verónica Victoria Yolanda"""
        ),
        _names(
            """Alberto Alejandro Alfonso Álvaro Andrés Antonio Carlos César Daniel David Diego Eduardo Emilio
            Enrique Ernesto Felipe Fernando Francisco Gabriel Gonzalo Guillermo Gustavo Héctor Hugo Ignacio Iván
            Jaime Javier Jesús Joaquín Jorge José Juan Julio Luis Manuel Marcos Mario Martín Mateo Miguel Nicolás
            Óscar Pablo Pedro Rafael Ramón Raúl Ricardo Roberto Rodrigo Rubén Salvador Santiago Sergio Tomás
            Vicente Víctor"""
        ),
        _names(
            """Aguilar Alonso Álvarez Arias Ávila Blanco Cabrera Calvo Campos Castillo Castro Cortés Crespo Cruz
            Delgado Díaz Domínguez Duarte Escobar Espinosa Estrada Fernández Ferrer Flores Fuentes Gallego García
            Garrido Gil Gómez González Guerrero Gutiérrez Guzmán Hernández Herrera Herrero Ibáñez Iglesias Jiménez
            León López Lozano Marín Márquez Martín Martínez Medina Méndez Mendoza Molina Montero Mora Morales
            Moreno Muñoz Navarro Núñez Ortega Ortiz Pascual Peña Peralta Pérez Prieto Ramírez Ramos Reyes Ríos
            Rivera Rodríguez Rojas Romero Rosales Rubio Ruiz Salazar Sánchez Santana Santiago Santos Sanz Serrano
            Silva Soto Suárez Torres Valdez Vargas Vázquez Vega Velasco Vidal"""
        ),
    ),
    "italian": Culture(
        _names(
            """Alessandra Alessia Alice Anna Arianna Barbara Beatrice Bianca Camilla Carla Caterina Chiara Claudia
            Cristina Daniela Elena Elisa Emma Federica Francesca Gaia Giada Giorgia Giulia Ilaria Irene Laura
            Lucia Marta Martina Michela Monica Paola Roberta Sara Serena Silvia Sofia Valentina Vittoria"""
        ),
        _names(
            """Alberto Alessandro Andrea Angelo Antonio Carlo Claudio Daniele Davide Dario Emanuele Enrico Fabio
            Federico Filippo Francesco Gabriele Giacomo Giorgio Giovanni Giuseppe Leonardo Lorenzo Luca Luigi
            Marco Mario Massimo Matteo Mattia Michele Nicola Paolo Pietro Riccardo Roberto Salvatore Simone
            Stefano Tommaso Vincenzo"""
        ),
        _names(
            """Amato Barbieri Basile Bellini Benedetti Bernardi Bianchi Bruno Caputo Caruso Cattaneo Colombo Conte
            Conti Coppola Costa D'Angelo De_Luca De_Santis Esposito Fabbri Farina Ferrara Ferrari Ferraro Ferri
            Fontana Galli Gallo Gatti Gentile Giordano Giuliani Grasso Greco Guerra Leone Lombardi Longo Mancini
            Marchetti Mariani Marini Marino Martinelli Mazza Messina Monti Morelli Moretti Negri Neri Orlando
            Pagano Palmieri Parisi Pellegrini Piras Ricci Rinaldi Riva Rizzi Rizzo Romano Rossetti Rossi Ruggiero
            Russo Sala Sanna Santoro Serra Silvestri Sorrentino Testa Valentini Villa Vitale"""
        ),
    ),
    "dutch": Culture(
        _names(
            """Anke Anna Annelies Anouk Bente Britt Carla Charlotte Daphne Ellen Els Emma Esmée Eva Femke Fleur
            Floor Hanneke Ilse Inge Ingrid Iris Jolanda Julia Karin Kim Laura Lieke Linda Lotte Maaike Marieke
            Marloes Mieke Mirjam Monique Nienke Noor Petra Roos Sanne Saskia Sofie Suzanne Tess Wendy Yvonne"""
        ),
        _names(
            """Arjen Bart Bas Bram Casper Daan Dirk Erik Floris Frank Geert Gerard Gijs Hans Henk Hugo Jan Jasper
            Jelle Jeroen Joost Joris Kees Koen Lars Luuk Maarten Marcel Marijn Martijn Matthijs Menno Michiel
            Niels Olaf Paul Peter Pieter Remco Rik Rob Roel Ruben Ruud Sander Sjoerd Stefan Sven Thijs Thomas Tim
            Tom Willem Wouter"""
        ),
        _names(
            """Bakker Blom Boer Bos Bosch Brouwer Claes Cornelissen de_Boer de_Bruijn de_Graaf de_Groot de_Haan
            de_Jong de_Vries de_Wit Dekker Dijkstra Goossens Hendriks Hermans Hoekstra Huisman Jacobs Jansen
            Janssen Janssens Kok Koster Kramer Kuipers Maes Martens Mertens Meijer Molenaar Mulder Peeters Peters
            Postma Prins Schouten Smeets Smit Smits Timmermans van_Beek van_Dam van_den_Berg van_der_Meer
            van_Dijk van_Leeuwen van_Vliet Veenstra Verbeek Verhoeven Vermeulen Visser Vos Willems Wouters"""
        ),
    ),
    "polish": Culture(
        _names(
            """Agata Agnieszka Aleksandra Alicja Anna Barbara Beata Dorota Edyta Elżbieta Ewa Gabriela Hanna Iwona
            Izabela Jadwiga Joanna Julia Justyna Kamila Karolina Katarzyna Kinga Magdalena Maja Małgorzata Maria
            Marta Monika Natalia Ola Olga Patrycja Paulina Sylwia Urszula Weronika Zofia Zuzanna"""
        ),
        _names(
            """Adam Andrzej Artur Bartosz Damian Daniel Dawid Dominik Filip Grzegorz Jacek Jakub Jan Janusz Jerzy
            Kamil Karol Krzysztof Łukasz Maciej Marcin Marek Mariusz Mateusz Michał Mikołaj Paweł Piotr Przemysław
            Rafał Robert Sebastian Stanisław Szymon Tomasz Wiktor Wojciech Zbigniew"""
        ),
        _names(
            """Adamczyk Bąk Baran Chmiel Cieślak Czarnecki Dąbek Duda Dudek Gajda Górski Grabowski Jabłoński
            Jankowski Kaczmarek Kalinowski Kaźmierczak Kołodziej Kowalczyk Kozioł Król Kubiak Kurek Lis Maj
            Majewski Makowski Malec Mazur Michalak Mróz Nowak Nowicki Olszewski Ostrowski Pająk Pawlak Pietrzak
            Sikora Sobczak Stasiak Stępień Szczepaniak Szulc Szymczak Tomczak Urban Walczak Wieczorek Wilk Witek
            Wójcik Woźniak Wróbel Zając Zięba"""
        ),
    ),
    "indian": Culture(
        _names(
            """Aditi Amrita Ananya Anika Anjali Asha Deepa Deepika Devi Divya Gayatri Indira Isha Jaya Kavita Kiran
            Lakshmi Leela Madhuri Meera Nandini Neha Nisha Pooja Priya Radha Rani Rekha Ritu Sangeeta Sarita
            Shreya Sita Sunita Swati Tara Usha Vandana Vidya"""
        ),
        _names(
            """Abhishek Aditya Ajay Akash Amit Anand Anil Arjun Arun Ashok Bharat Deepak Dev Ganesh Gaurav Gopal
            Hari Karan Kumar Manish Mohan Mukesh Nikhil Nitin Pankaj Prakash Rahul Raj Rajesh Rakesh Ravi Rohan
            Sandeep Sanjay Santosh Suresh Varun Vijay Vikram Vinod Vivek"""
        ),
        _names(
            """Acharya Agarwal Ahuja Anand Arora Bajaj Banerjee Bhatt Bose Chandra Chatterjee Chauhan Chopra Das
            Desai Deshpande Dutta Gandhi Ghosh Gill Gupta Iyer Jain Joshi Kapoor Kaur Khanna Khatri Krishnan Kulkarni Kumar
            Malhotra Mehta Menon Mishra Mukherjee Nair Narayan Pandey Patel Patil Pillai Prasad Rao Reddy Saxena
            Sen Sethi Shah Sharma Shetty Shukla Singh Sinha Srinivasan Subramanian Thakur Trivedi Varma Verma
            Yadav"""
        ),
    ),
    "asian": Culture(
        _names(
            """Aiko Akari Chen_Yu Eunji Fang Hana Haruka Hong Hui Jia Jing Jiwoo Kaori Keiko Lan Li Lien Lin Mai
            Mei Mika Min Minh Miyuki Naoko Ngoc Phuong Rina Sakura Seoyeon Sora Thanh Thuy Xia Xiu Yan Yoko Yuki
            Yuna Yun"""
        ),
        _names(
            """Akira An Bao Bin Bo Chang Dae Daichi Duc Feng Haruto Hiro Hiroshi Hoang Hyun Jae Jian Jin Joon Jun
            Kai Kazuo Kenji Kenta Lei Long Makoto Minjun Nam Qiang Quan Ren Ryo Satoshi Shin Sung Takeshi Tao
            Tuan Wei Xin Yong Yuto"""
        ),
        _names(
            """Abe Bui Cao Chan Chang Chen Cheng Cho Choi Chu Dang Dinh Do Doan Fujita Fukuda Han Hara Hasegawa
            Hayashi He Ho Hoang Hong Hu Huang Huynh Ikeda Inoue Ishii Ito Jang Jeong Jiang Jung Kang Kato Kim
            Kimura Kobayashi Kondo Kwon Le Lee Li Liang Lim Lin Liu Luo Ly Ma Maeda Matsumoto Mori Nakamura Ng
            Ngo Nguyen Ogawa Oh Okada Park Pham Phan Saito Sakai Sasaki Sato Seo Shimizu Shin Song Suzuki Takagi
            Tan Tanaka Tang Tran Trinh Truong Tsai Vo Vu Wang Watanabe Wong Wu Xu Yamada Yamamoto Yang Yoon
            Yoshida Yu Zhang Zhao Zheng Zhou"""
        ),
    ),
    "arabic": Culture(
        _names(
            """Aisha Alia Amal Amina Amira Asma Dina Fadia Farah Fatima Ghada Hala Hanan Hiba Huda Iman Jamila
            Karima Khadija Laila Lamia Leila Lina Mariam Maha Mona Muna Nada Nadia Naima Nour Rania Rasha Reem
            Salma Samira Sana Sara Souad Yasmin Zahra Zeinab"""
        ),
        _names(
            """Abdul Adel Ahmed Ali Amin Amir Anwar Bilal Farid Fadi Faisal Hakim Hamid Hassan Hussein Ibrahim
            Ismail Jamal Karim Khaled Mahmoud Malik Mehdi Mohammed Mounir Mustafa Nabil Nader Omar Rachid Rami
            Rashid Said Salim Samir Tarek Walid Yasser Youssef Ziad"""
        ),
        _names(
            """Abbas Abdallah Ahmad Amari Amrani Aziz Bakri Belkacem Ben_Ali Benali Bennani Boudiaf Cherif Darwish
            El_Amin El_Idrissi Farah Fares Haddad Hakimi Hamdan Hamdi Hariri Hassan Hijazi Hussein Ibrahim Issa
            Jaber Karam Karimi Khalil Khan Khoury Mansour Mansouri Masri Mazouz Mousa Nader Najjar Nasser Nassar
            Othman Qasim Rahman Rashid Saad Sabbagh Said Salah Saleh Salem Shaheen Sharif Tahir Toumi Yousef
            Zaki Zidane"""
        ),
    ),
    "turkish": Culture(
        _names(
            """Aslı Ayla Aylin Ayşe Banu Bahar Belgin Burcu Canan Ceren Defne Derya Dilek Ebru Ece Elif Emine Esra
            Fatma Filiz Gizem Gül Hatice Leyla Melek Meltem Merve Nur Özlem Pınar Selin Sevgi Sibel Yasemin
            Zehra Zeynep"""
        ),
        _names(
            """Ahmet Ali Alper Arda Barış Burak Can Cem Cengiz Deniz Emre Erdem Erkan Ferhat Gökhan Hakan Halil
            Hasan Ibrahim Kaan Kemal Kerem Levent Mehmet Mert Murat Mustafa Okan Onur Orhan Osman Ömer Selim
            Serkan Tarkan Tolga Ufuk Volkan Yusuf"""
        ),
        _names(
            """Acar Akın Aksoy Aktaş Arslan Aslan Avcı Ay Aydın Bayram Bulut Can Çelik Çetin Coşkun Demir Demirci
            Doğan Erdoğan Güler Gündüz Güneş Kaplan Kara Kaya Keskin Kılıç Koç Köse Kurt Öz Özcan Özdemir Özkan
            Öztürk Polat Şahin Sarı Şen Şimşek Taş Tekin Tunç Turan Ünal Uysal Yalçın Yavuz Yıldırım Yıldız
            Yılmaz Yüksel"""
        ),
    ),
    "african": Culture(
        _names(
            """Abena Adaeze Adjoa Afia Akosua Ama Amara Aminata Awa Ayodele Binta Chiamaka Chidinma Efua Esi Fanta
            Folake Fatou Grace Ifeoma Kadiatou Mariama Ngozi Nneka Oumou Simone Yaa Yetunde Zainab"""
        ),
        _names(
            """Abdou Adewale Amadou Babajide Boubacar Chidi Chinedu Cheikh Emeka Femi Ibrahima Ikenna Kofi Kojo
            Kwabena Kwame Kwesi Mamadou Moussa Obinna Olumide Ousmane Samuel Sekou Tunde Uche Yaw"""
        ),
        _names(
            """Abiola Achebe Adeleke Adeyemi Afolabi Agyeman Appiah Asante Ba Balogun Bello Boateng Camara Cissé
            Coulibaly Danso Diallo Diop Diouf Eze Fall Fofana Ibekwe Kamara Keita Koné Kouyaté Lawal Mensah Ndiaye
            Nwosu Obi Odoi Ofori Ogunleye Okafor Okeke Okonkwo Owusu Sall Sarr Sow Sy Touré Traoré"""
        ),
    ),
}
"""Cultures by name."""
